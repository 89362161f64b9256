// node_pg.js - node-postgres: the simple protocol for a text alone, the extended one for all else.
const { Client, Pool } = require('pg')
const assert = require('assert')

const CONSOLE = ['console'], POOLED = ['session', 'transaction']
const mode = process.argv[2]

async function connected(work, how) {
	const c = new Client(how)
	await c.connect()
	try {
		return await work(c)
	} finally {
		await c.end()
	}
}

const cases = [
	[CONSOLE, async function simple_show() {
		await connected(async c => {
			const r = await c.query('SHOW VERSION')
			assert.match(r.rows[0].version, /^Sluice/)
			assert.strictEqual(r.command, 'SHOW')
		})
	}],
	[CONSOLE, async function extended_show() {
		await connected(async c => {
			const r = await c.query({ text: 'SHOW DATABASES', queryMode: 'extended' })
			const test = r.rows.find(row => row.name === 'test')
			assert.strictEqual(typeof test.port, 'number')
			assert.strictEqual(test.force_user, null)
		})
	}],
	[CONSOLE, async function named() {
		await connected(async c => {
			for (let i = 0; i < 10; i++)
				assert.strictEqual((await c.query({ name: 'st', text: 'SHOW STATE' })).rows[0].key, 'active')
		})
	}],
	[CONSOLE, async function binary() {
		await connected(async c => {
			const r = await c.query({ text: 'SHOW DATABASES', queryMode: 'extended' })
			// Not a number with a byte over 127: it reads them all as UTF-8 first.
			assert.strictEqual(r.rows.find(row => row.name === 'test').pool_size, 20)
			assert.strictEqual(r.fields.find(f => f.name === 'port').format, 'binary')
		}, { binary: true })
	}],
	[CONSOLE, async function rows_in_portions() {
		await connected(async c => {
			const all = (await c.query('SHOW CONFIG')).rows
			const some = (await c.query({ text: 'SHOW CONFIG', rows: 7 })).rows
			assert.deepStrictEqual(some, all)
		})
	}],
	[CONSOLE, async function parameters_are_refused() {
		await connected(async c => {
			await assert.rejects(c.query('PAUSE $1', ['test']), { code: '0A000' })
			await assert.rejects(c.query({ name: 'bad', text: 'SHOW NONSENSE' }), { code: '08P01' })
			assert.strictEqual((await c.query('SHOW STATE')).rows[0].value, 'yes')
		})
	}],
	[CONSOLE, async function commands() {
		await connected(async c => {
			for (const queryMode of ['simple', 'extended'])
				for (const text of ['PAUSE test', 'RESUME test', 'RELOAD'])
					assert.strictEqual((await c.query({ text, queryMode })).command, text.split(' ')[0])
		})
	}],
	[POOLED, async function types_and_back() {
		await connected(async c => {
			const r = await c.query('select $1::int a, $2::text b, $3::text c, $4::bool d', [7, 'h\u00e4', null, true])
			assert.deepStrictEqual(r.rows[0], { a: 7, b: 'h\u00e4', c: null, d: true })
		})
	}],
	[POOLED, async function transactions() {
		await connected(async c => {
			await c.query('begin')
			await c.query('create temp table t (n int) on commit drop')
			await c.query('insert into t values ($1)', [1])
			assert.strictEqual((await c.query('select n from t where n = $1', [1])).rowCount, 1)
			await c.query('rollback')
			assert.strictEqual((await c.query("select to_regclass('pg_temp.t') r")).rows[0].r, null)
		})
	}],
	[POOLED, async function errors() {
		await connected(async c => {
			for (let i = 0; i < 3; i++) {
				await assert.rejects(c.query('select 1 / $1::int', [0]), { code: '22012' })
				assert.strictEqual((await c.query('select $1::int n', [i])).rows[0].n, i)
			}
		})
	}],
	[POOLED, async function many_rows() {
		await connected(async c => {
			const r = await c.query("select n, repeat('x', 100) from generate_series(1, $1::int) n", [20000])
			assert.strictEqual(r.rowCount, 20000)
		})
	}],
	[POOLED, async function rows_by_a_portal() {
		await connected(async c => {
			await c.query('begin')
			const r = await c.query({ text: 'select n from generate_series(1, 100) n', rows: 7 })
			assert.strictEqual(r.rows.length, 100)
			await c.query('commit')
		})
	}],
	[POOLED, async function clients_over_few_servers() {
		const clients = [...Array(8)].map(() => new Client())
		await Promise.all(clients.map(c => c.connect()))
		await Promise.all(clients.map(async c => {
			for (let i = 0; i < 10; i++)
				assert.strictEqual((await c.query('select $1::int n', [i])).rows[0].n, i)
		}))
		await Promise.all(clients.map(c => c.end()))
	}],
	[POOLED, async function prepared() {
		const clients = [...Array(8)].map(() => new Client())
		await Promise.all(clients.map(c => c.connect()))
		await Promise.all(clients.map(async (c, k) => {
			for (let i = 0; i < 30; i++) {
				// The same name is another text for each client.
				const r = await c.query({ name: 'n' + i % 3, text: `select $1::int n, ${k} k, ${i % 3} m`, values: [i] })
				assert.deepStrictEqual(r.rows[0], { n: i, k, m: i % 3 })
				if (i % 10 === 9)
					await assert.rejects(c.query({ name: 'bad', text: 'select 1 / $1::int', values: [0] }), { code: '22012' })
			}
		}))
		await Promise.all(clients.map(c => c.end()))
	}],
	[POOLED, async function notifications() {
		const clients = [...Array(4)].map(() => new Client())
		await Promise.all(clients.map(c => c.connect()))
		const heard = clients.map(() => [])
		const all = Promise.all(clients.map((c, k) => new Promise(resolve => c.on('notification', n => {
			heard[k].push(n.payload)
			if (heard[k].length === 20)
				resolve()
		}))))
		await Promise.all(clients.map(c => c.query('listen node_pg')))
		for (let i = 0; i < 20; i++)
			await clients[i % 4].query("select pg_notify('node_pg', $1)", ['n' + i])
		await all
		for (const h of heard)
			assert.deepStrictEqual(h, [...Array(20)].map((_, i) => 'n' + i))
		await Promise.all(clients.map(c => c.end()))
	}],
	[POOLED, async function all_at_once() {
		const pool = new Pool({ max: 12 })
		await Promise.all([...Array(60)].map(async (_, n) => {
			const c = await pool.connect()
			try {
				await c.query('begin')
				await c.query('create temp table t (n int) on commit drop')
				await c.query({ name: 'insert', text: 'insert into t values ($1)', values: [n] })
				const r = await c.query({ name: 'sum', text: 'select n from t' })
				assert.deepStrictEqual(r.rows, [{ n }])
				await c.query(n % 3 ? 'commit' : 'rollback')
			} finally {
				c.release()
			}
		}))
		await pool.end()
	}],
]

async function main() {
	for (const [modes, run] of cases) {
		if (!modes.includes(mode))
			continue
		try {
			await run()
			console.log('ok ' + run.name)
		} catch (e) {
			console.log(`not ok ${run.name}: ${String(e && e.message || e).replace(/\s+/g, ' ')}`)
		}
	}
}
main()
