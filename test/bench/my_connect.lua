-- sysbench script: connects, asks for one row, disconnects; the whole is one event.
sysbench.cmdline.options = { tables = { "tables", 4 }, table_size = { "rows of a table", 50000 } }

function thread_init()
   drv = sysbench.sql.driver()
end

function event()
   local con = drv:connect()
   con:query(string.format("SELECT c FROM sbtest%d WHERE id=%d",
      sysbench.rand.uniform(1, sysbench.opt.tables), sysbench.rand.uniform(1, sysbench.opt.table_size)))
   con:disconnect()
end
