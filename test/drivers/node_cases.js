// node_cases.js - runs a table of cases [modes, function] and prints a line for each.
const mode = process.argv[2]

exports.CONSOLE = ['console']
exports.POOLED = ['session', 'transaction', 'straight']
exports.where = {
	host: process.env.MYSQL_HOST, port: +process.env.MYSQL_TCP_PORT, user: process.env.MYSQL_USER,
	password: process.env.MYSQL_PASSWORD, database: process.env.MYSQL_DATABASE,
	connectTimeout: 60000, // mariadb's own is a second, which a busy machine exceeds
}
exports.mode = mode
exports.run = async function (cases) {
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
	process.exit(0)
}
