// MyJdbc.java - MariaDB Connector/J: texts, prepared statements of the server, batches, and a set-up that it sends at once.
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class MyJdbc {
	interface Case { void run() throws Exception; }
	static final List<String> CONSOLE = List.of("console"), POOLED = List.of("session", "transaction", "straight");
	static final Map<String, Case> cases = new LinkedHashMap<>();
	static String mode;

	static void add(List<String> modes, String name, Case c) {
		if (modes.contains(mode))
			cases.put(name, c);
	}

	static Connection connect(String... options) throws SQLException {
		StringBuilder url = new StringBuilder("jdbc:mariadb://" + System.getenv("MYSQL_HOST") + ":" + System.getenv("MYSQL_TCP_PORT") +
			"/" + System.getenv("MYSQL_DATABASE") + "?allowPublicKeyRetrieval=true");
		for (String o : options)
			url.append('&').append(o);
		return DriverManager.getConnection(url.toString(), System.getenv("MYSQL_USER"), System.getenv("MYSQL_PASSWORD"));
	}

	static void same(Object got, Object want) {
		if (!Objects.equals(got, want))
			throw new IllegalStateException("got " + got + ", want " + want);
	}

	static int fails(Case c) throws Exception {
		try {
			c.run();
		} catch (SQLException e) {
			return e.getErrorCode();
		}
		throw new IllegalStateException("it did not fail");
	}

	static String one(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
			return r.next() ? r.getString(1) : "";
		}
	}

	static void run(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement()) {
			s.execute(sql);
		}
	}

	static void prepared(String... options) throws Exception {
		List<Connection> all = new ArrayList<>();
		List<PreparedStatement> statements = new ArrayList<>();
		for (int i = 0; i < 8; i++) {
			all.add(connect(options));
			statements.add(all.get(i).prepareStatement("select ? + " + i + ", ?"));
		}
		for (int n = 0; n < 80; n++) {
			PreparedStatement p = statements.get(n % 8);
			p.setInt(1, n);
			p.setString(2, n % 3 == 0 ? null : "t" + n);
			try (ResultSet r = p.executeQuery()) {
				same(r.next(), true);
				same(r.getInt(1), n + n % 8);
				same(r.getString(2), n % 3 == 0 ? null : "t" + n);
			}
		}
		for (Connection c : all)
			c.close();
	}

	static void addAll() {
		add(CONSOLE, "show", () -> {
			try (Connection c = connect()) {
				same(one(c, "SHOW VERSION").startsWith("Sluice"), true);
				fails(() -> one(c, "SHOW NONSENSE"));
				same(one(c, "SHOW STATE"), "active");
			}
		});
		add(POOLED, "set_up", () -> {
			for (int i = 0; i < 3; i++)
				try (Connection c = connect("sessionVariables=max_join_size=777,sql_mode='ANSI_QUOTES'", "useServerPrepStmts=true")) {
					same(one(c, "select @@max_join_size"), "777");
					same(one(c, "select @@sql_mode"), "ANSI_QUOTES");
					same(c.isValid(5), true);
				}
		});
		add(POOLED, "prepared_on_the_server", () -> prepared("useServerPrepStmts=true"));
		add(POOLED, "prepared_by_the_driver", () -> prepared());
		add(POOLED, "transactions", () -> {
			try (Connection c = connect(); Connection d = connect()) {
				run(d, "create table if not exists jdbc_tx (id int auto_increment primary key, n int) engine=innodb");
				run(d, "delete from jdbc_tx");
				c.setAutoCommit(false);
				run(c, "insert into jdbc_tx (n) values (1)");
				same(one(d, "select count(*) from jdbc_tx"), "0");
				c.rollback();
				try (Statement s = c.createStatement()) {
					s.executeUpdate("insert into jdbc_tx (n) values (2)", Statement.RETURN_GENERATED_KEYS);
					ResultSet r = s.getGeneratedKeys();
					same(r.next(), true);
					same(one(c, "select last_insert_id()"), r.getString(1));
				}
				c.commit();
				same(one(d, "select group_concat(n) from jdbc_tx"), "2");
				c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
				same(c.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE);
				same(d.getTransactionIsolation(), Connection.TRANSACTION_REPEATABLE_READ);
				c.commit();
				c.setAutoCommit(true);
				c.setCatalog("test");
				same(c.getCatalog(), "test");
			}
		});
		add(POOLED, "read_only_and_savepoints", () -> {
			try (Connection c = connect()) {
				run(c, "create table if not exists jdbc_sp (n int) engine=innodb");
				c.setAutoCommit(false);
				run(c, "delete from jdbc_sp");
				run(c, "insert into jdbc_sp values (1)");
				java.sql.Savepoint a = c.setSavepoint("a");
				run(c, "insert into jdbc_sp values (2)");
				c.rollback(a);
				same(one(c, "select count(*) from jdbc_sp"), "1");
				c.commit();
			}
		});
		add(POOLED, "errors", () -> {
			try (Connection c = connect()) {
				for (int i = 0; i < 3; i++) {
					same(fails(() -> one(c, "select * from nowhere")), 1146);
					same(fails(() -> one(c, "selec")), 1064);
					same(one(c, "select 1"), "1");
				}
			}
			same(fails(() -> DriverManager.getConnection("jdbc:mariadb://" + System.getenv("MYSQL_HOST") + ":" +
				System.getenv("MYSQL_TCP_PORT") + "/test?allowPublicKeyRetrieval=true", "alice", "wrong").close()), 1045);
		});
		add(POOLED, "batches", () -> {
			for (String how : new String[] { "useBulkStmts=true", "rewriteBatchedStatements=true", "useServerPrepStmts=true" })
				try (Connection c = connect(how)) {
					run(c, "create temporary table b (n int, s varchar(20))");
					try (PreparedStatement p = c.prepareStatement("insert into b values (?, ?)")) {
						for (int i = 0; i < 500; i++) {
							p.setInt(1, i);
							p.setString(2, "row" + i);
							p.addBatch();
						}
						same(p.executeBatch().length, 500);
					}
					same(one(c, "select concat(count(*), ' ', sum(n)) from b"), "500 124750");
				}
		});
		add(POOLED, "local_infile", () -> {
			try (Connection c = connect("allowLocalInfile=true")) {
				run(c, "create temporary table l (n int)");
				StringBuilder data = new StringBuilder();
				for (int i = 0; i < 5000; i++)
					data.append(i).append('\n');
				try (org.mariadb.jdbc.MariaDbStatement s = c.createStatement().unwrap(org.mariadb.jdbc.MariaDbStatement.class)) {
					s.setLocalInfileInputStream(new ByteArrayInputStream(data.toString().getBytes(StandardCharsets.UTF_8)));
					s.execute("load data local infile 'x' into table l");
				}
				same(one(c, "select sum(n) from l"), "12497500");
			}
		});
		add(POOLED, "procedures", () -> {
			try (Connection c = connect()) {
				run(c, "drop procedure if exists jdbc_p");
				run(c, "create procedure jdbc_p(in a int, out b int) begin select a; set b = a * 2; end");
				for (int i = 0; i < 3; i++)
					try (CallableStatement s = c.prepareCall("{call jdbc_p(?, ?)}")) {
						s.setInt(1, 20 + i);
						s.registerOutParameter(2, Types.INTEGER);
						s.execute();
						same(s.getInt(2), 2 * (20 + i));
					}
			}
		});
		add(POOLED, "rows_in_portions", () -> {
			try (Connection c = connect("useServerPrepStmts=true"); Statement s = c.createStatement()) {
				s.setFetchSize(50);
				int n = 0;
				try (ResultSet r = s.executeQuery("with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) select n from s")) {
					while (r.next())
						n += r.getInt(1);
				}
				same(n, 900 * 901 / 2);
			}
		});
		add(POOLED, "compressed", () -> {
			try (Connection c = connect("useCompression=true")) {
				same(one(c, "select repeat('y', 100000)").length(), 100000);
			}
		});
		add(POOLED, "a_query_timeout", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				s.setQueryTimeout(1);
				fails(() -> s.executeQuery("select sleep(20) from dual where sleep(20) = 0 and benchmark(1, 1) = 0"));
				same(one(c, "select 1"), "1");
			}
		});
		add(POOLED, "all_at_once", () -> {
			try (Connection c = connect()) {
				run(c, "create table if not exists jdbc_all (n int, i int) engine=innodb");
				run(c, "delete from jdbc_all");
				ExecutorService pool = Executors.newFixedThreadPool(12);
				List<Future<Object>> all = new ArrayList<>();
				for (int n = 0; n < 12; n++) {
					int k = n;
					all.add(pool.submit(() -> {
						try (Connection d = connect(k % 2 == 0 ? "useServerPrepStmts=true" : "useServerPrepStmts=false")) {
							d.setAutoCommit(false);
							try (PreparedStatement p = d.prepareStatement("insert into jdbc_all values (?, ?)")) {
								for (int i = 0; i < 20; i++) {
									p.setInt(1, k);
									p.setInt(2, i);
									same(p.executeUpdate(), 1);
									if (i % 2 == 0)
										d.commit();
									else
										d.rollback();
								}
							}
						}
						return null;
					}));
				}
				for (Future<Object> f : all)
					f.get();
				pool.shutdown();
				same(one(c, "select concat(count(*), ' ', sum(i)) from jdbc_all"), "120 1080");
			}
		});
	}

	public static void main(String[] args) {
		mode = args[0];
		addAll();
		cases.forEach((name, c) -> {
			try {
				c.run();
				System.out.println("ok " + name);
			} catch (Throwable e) {
				System.out.println("not ok " + name + ": " + String.valueOf(e).replaceAll("\\s+", " "));
			}
		});
		System.exit(0);
	}
}
