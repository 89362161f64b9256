// node_mariadb.js - mariadb: it sends its set-up and its queries without waiting for answers, and inserts in bulk.
const mariadb = require('mariadb')
const assert = require('assert')
const { CONSOLE, POOLED, where, run } = require('./node_cases.js')

const connect = how => mariadb.createConnection({ allowPublicKeyRetrieval: true, ...where, ...how })
async function connected(work, how = {}) {
	const c = await connect(how)
	try {
		return await work(c)
	} finally {
		await c.end()
	}
}
const many = async (n, work, how = {}) => {
	const all = await Promise.all([...Array(n)].map(() => connect(how)))
	await work(all)
	await Promise.all(all.map(c => c.end()))
}

run([
	[CONSOLE, async function show() {
		await connected(async c => {
			const rows = await c.query('SHOW VERSION')
			assert.match(Object.values(rows[0])[0], /^Sluice/)
			assert.ok((await c.query('SHOW DATABASES')).find(r => r.name === 'test'))
			await assert.rejects(c.query('SHOW NONSENSE'))
		})
	}],
	[POOLED, async function set_up() {
		await connected(async c => {
			const [r] = await c.query('select @@time_zone z, @@max_join_size m, @a a, @@collation_connection c')
			assert.deepStrictEqual([r.z, Number(r.m), Number(r.a), r.c], ['+05:00', 777, 5, 'utf8mb4_bin'])
		}, { timezone: '+05:00', sessionVariables: { max_join_size: 777 }, initSql: ['set @a = 5', 'do 1', 'select 1'], collation: 'UTF8MB4_BIN' })
	}],
	[POOLED, async function set_up_of_many() {
		for (let round = 0; round < 3; round++)
			await many(8, async all => {
				const got = await Promise.all(all.map(c => c.query('select @@max_join_size m')))
				for (const [r] of got)
					assert.strictEqual(Number(r.m), 999)
			}, { sessionVariables: { max_join_size: 999 } })
	}],
	[POOLED, async function pipelined() {
		await connected(async c => {
			const got = await Promise.all([...Array(200)].map((_, i) => i % 3 ? c.query('select ? n', [i]) : c.execute('select ? n', [i])))
			got.forEach((rows, i) => assert.strictEqual(Number(rows[0].n), i))
			const mixed = await Promise.allSettled([c.query('select 1 n'), c.query('selec'), c.execute('select ? n', [2]), c.query('select * from nowhere'), c.ping()])
			assert.deepStrictEqual(mixed.map(r => r.status), ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'])
			assert.deepStrictEqual([mixed[1].reason.errno, mixed[3].reason.errno], [1064, 1146])
		}, { pipelining: true })
	}],
	[POOLED, async function prepared() {
		await many(8, async all => {
			await Promise.all(all.map(async (c, k) => {
				const p = await c.prepare(`select ? n, ${k} k`)
				for (let i = 0; i < 20; i++) {
					const [r] = await p.execute([i])
					assert.deepStrictEqual([Number(r.n), Number(r.k)], [i, k])
				}
				p.close()
			}))
		})
	}],
	[POOLED, async function bulk() {
		await connected(async c => {
			await c.query('create temporary table b (n int, s varchar(20))')
			const r = await c.batch('insert into b values (?, ?)', [...Array(1000)].map((_, i) => [i, i % 7 ? 'row' + i : null]))
			assert.ok(Array.isArray(r) || r.affectedRows === 1000)
			const [s] = await c.query('select count(*) n, sum(n) t, count(s) s from b')
			assert.deepStrictEqual([Number(s.n), Number(s.t), Number(s.s)], [1000, 499500, 857])
		})
	}],
	[POOLED, async function transactions() {
		await many(6, async all => {
			await all[0].query('create table if not exists mariadb_tx (n int) engine=innodb')
			await all[0].query('delete from mariadb_tx')
			await Promise.all(all.map(async (c, k) => {
				for (let i = 0; i < 10; i++) {
					await c.beginTransaction()
					await c.query('insert into mariadb_tx values (?)', [k])
					await (i % 2 ? c.rollback() : c.commit())
				}
			}))
			assert.strictEqual(Number((await all[0].query('select count(*) n from mariadb_tx'))[0].n), 30)
		})
	}],
	[POOLED, async function a_stream() {
		await connected(async c => {
			let n = 0
			for await (const row of c.queryStream('with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) ' +
				"select a.n, repeat('x', 200) x from s a join s b on b.n < 20"))
				n += row.x.length
			assert.strictEqual(n, 900 * 19 * 200)
		})
	}],
	[POOLED, async function reset_and_change_user() {
		await connected(async c => {
			await c.query('set @a = 1')
			await c.reset()
			assert.strictEqual((await c.query('select @a a'))[0].a, null)
			if (process.env.MYSQL_KIND === 'mysql') // it refuses to
				return
			await c.changeUser({ user: 'bob', password: 'bob-secret', database: 'test' })
			assert.strictEqual((await c.query("select substring_index(current_user(), '@', 1) u"))[0].u, 'bob')
		})
	}],
	[POOLED, async function compressed() {
		await connected(async c => {
			assert.strictEqual((await c.query("select repeat('y', 100000) s"))[0].s.length, 100000)
		}, { compress: true })
	}],
	[POOLED, async function a_pool() {
		const pool = mariadb.createPool({ allowPublicKeyRetrieval: true, ...where, connectionLimit: 12, acquireTimeout: 60000 })
		const got = await Promise.all([...Array(100)].map((_, i) => pool.query('select ? n', [i])))
		got.forEach((rows, i) => assert.strictEqual(Number(rows[0].n), i))
		await pool.end()
	}],
])
