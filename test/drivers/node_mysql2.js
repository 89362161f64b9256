// node_mysql2.js - mysql2: texts by query(), prepared statements by execute().
const mysql = require('mysql2/promise')
const assert = require('assert')
const { Readable } = require('stream')
const { CONSOLE, POOLED, where, run } = require('./node_cases.js')

async function connected(work, how = {}) {
	const c = await mysql.createConnection({ ...where, ...how })
	try {
		return await work(c)
	} finally {
		await c.end()
	}
}
const many = async (n, work) => {
	const all = await Promise.all([...Array(n)].map(() => mysql.createConnection(where)))
	await work(all)
	await Promise.all(all.map(c => c.end()))
}

run([
	[CONSOLE, async function show() {
		await connected(async c => {
			const [rows] = await c.query('SHOW VERSION')
			assert.match(Object.values(rows[0])[0], /^Sluice/)
			const [dbs] = await c.query('SHOW DATABASES')
			assert.ok(dbs.find(r => r.name === 'test'))
			await assert.rejects(c.query('SHOW NONSENSE'))
			await c.query('PAUSE test')
			await c.query('RESUME test')
		})
	}],
	[POOLED, async function types_and_back() {
		await connected(async c => {
			const values = [7, 'h\u00e4\u{1f600}', null, new Date('2024-02-03T04:05:06Z'), Buffer.from([0, 1, 255])]
			await c.query('create temporary table t (a int, b varchar(20), c text, d datetime, e blob)')
			await c.execute('insert into t values (?, ?, ?, ?, ?)', values)
			const [[row]] = await c.execute('select * from t')
			assert.deepStrictEqual(Object.values(row), values)
		}, { timezone: 'Z' })
	}],
	[POOLED, async function transactions() {
		await connected(async c => {
			await c.query('create table if not exists mysql2_tx (n int) engine=innodb')
			await c.query('delete from mysql2_tx')
			await c.beginTransaction()
			await c.execute('insert into mysql2_tx values (?)', [1])
			await c.rollback()
			assert.strictEqual((await c.query('select * from mysql2_tx'))[0].length, 0)
			await c.beginTransaction()
			await c.execute('insert into mysql2_tx values (?)', [2])
			await c.commit()
			assert.deepStrictEqual((await c.query('select n from mysql2_tx'))[0], [{ n: 2 }])
		})
	}],
	[POOLED, async function errors() {
		await connected(async c => {
			for (let i = 0; i < 3; i++) {
				await assert.rejects(c.query('select * from nowhere'), { errno: 1146, sqlState: '42S02' })
				await assert.rejects(c.execute('selec ?', [1]), { errno: 1064 })
				assert.strictEqual((await c.query('select ? n', [i]))[0][0].n, i)
			}
		})
		await assert.rejects(connected(async () => {}, { password: 'wrong' }), { errno: 1045 })
		await assert.rejects(connected(async () => {}, { database: 'nowhere' }), { errno: 1049 })
	}],
	[POOLED, async function prepared() {
		await many(8, async all => {
			await Promise.all(all.map(async (c, k) => {
				for (let i = 0; i < 30; i++) {
					const [rows] = await c.execute(`select ? n, ${k} k, ${i % 3} m`, [i])
					assert.deepStrictEqual([+rows[0].n, rows[0].k, rows[0].m], [i, k, i % 3])
					if (i % 10 === 9)
						await assert.rejects(c.execute('select * from nowhere where n = ?', [0]), { errno: 1146 })
				}
			}))
		})
	}],
	[POOLED, async function queued() {
		await connected(async c => {
			const got = await Promise.all([...Array(100)].map((_, i) => i % 3 ? c.query('select ? n', [i]) : c.execute('select ? n', [i])))
			got.forEach(([rows], i) => assert.strictEqual(+rows[0].n, i))
		})
	}],
	[POOLED, async function several_results() {
		await connected(async c => {
			const [got] = await c.query('select 1 a; do 2; select 3 b, 4 c')
			assert.deepStrictEqual([got[0], got[2]], [[{ a: 1 }], [{ b: 3, c: 4 }]])
			await c.query('drop procedure if exists mysql2_p')
			await c.query('create procedure mysql2_p(a int) begin select a; select a * 2 b; end')
			const [sets] = await c.query('call mysql2_p(21)')
			assert.deepStrictEqual([sets[0], sets[1]], [[{ a: 21 }], [{ b: 42 }]])
		}, { multipleStatements: true })
	}],
	[POOLED, async function local_infile() {
		await connected(async c => {
			await c.query('create temporary table l (n int, s varchar(20))')
			const [r] = await c.query({
				sql: "load data local infile 'x' into table l",
				infileStreamFactory: () => Readable.from([...Array(5000)].map((_, i) => Buffer.from(`${i}\trow ${i}\n`))),
			})
			assert.strictEqual(r.affectedRows, 5000)
			assert.strictEqual(+(await c.query('select sum(n) s from l'))[0][0].s, 4999 * 2500)
		})
	}],
	[POOLED, async function settings_of_each() {
		await many(8, async all => {
			await Promise.all(all.map((c, i) => c.query(`set time_zone = '+0${i}:00'`)))
			for (let n = 0; n < 3; n++)
				await Promise.all(all.map(async (c, i) => {
					assert.strictEqual((await c.query('select @@time_zone z'))[0][0].z, `+0${i}:00`)
				}))
		})
	}],
	[POOLED, async function change_user_and_reset() {
		await connected(async c => {
			await c.query('set @a = 1')
			await c.changeUser({ user: 'bob', password: 'bob-secret', database: 'test' })
			const [[r]] = await c.query("select substring_index(current_user(), '@', 1) u, @a a")
			assert.deepStrictEqual([r.u, r.a], ['bob', null])
			if (c.reset) {
				await c.query('set @a = 2')
				await c.reset()
				assert.strictEqual((await c.query('select @a a'))[0][0].a, null)
			}
			await c.ping()
		})
	}],
	[POOLED, async function large() {
		await connected(async c => {
			const big = 'x'.repeat(17 << 20)
			assert.strictEqual((await c.query('select length(?) n', [big]))[0][0].n, big.length)
			assert.strictEqual((await c.query("select repeat('y', ?) s", [17 << 20]))[0][0].s.length, big.length)
		})
	}],
	[POOLED, async function compressed() {
		await connected(async c => {
			assert.strictEqual((await c.query("select repeat('y', 100000) s"))[0][0].s.length, 100000)
			for (let i = 0; i < 20; i++)
				assert.strictEqual((await c.query('select ? n', [i]))[0][0].n, i)
		}, { compress: true })
	}],
	[POOLED, async function a_pool() {
		const pool = mysql.createPool({ ...where, connectionLimit: 12 })
		await pool.query('create table if not exists mysql2_pool (n int, i int) engine=innodb')
		await pool.query('delete from mysql2_pool')
		await Promise.all([...Array(60)].map(async (_, n) => {
			const c = await pool.getConnection()
			try {
				await c.beginTransaction()
				const [r] = await c.execute('insert into mysql2_pool values (?, ?)', [n, n])
				assert.strictEqual(r.affectedRows, 1)
				await (n % 3 ? c.commit() : c.rollback())
			} finally {
				c.release()
			}
		}))
		assert.strictEqual((await pool.query('select count(*) n from mysql2_pool'))[0][0].n, 40)
		await pool.end()
	}],
])
