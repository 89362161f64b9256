-- sysbench script: a result of about 1 MB in 5,000 rows for each query.
sysbench.cmdline.options = { tables = { "tables", 4 }, table_size = { "rows of a table", 50000 } }

function thread_init()
   con = sysbench.sql.driver():connect()
end

function event()
   local a = sysbench.rand.uniform(1, sysbench.opt.table_size - 5000)
   con:query(string.format("SELECT id, k, c, pad FROM sbtest%d WHERE id BETWEEN %d AND %d",
      sysbench.rand.uniform(1, sysbench.opt.tables), a, a + 4999))
end

function thread_done()
   con:disconnect()
end
