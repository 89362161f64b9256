// Jdbc.java - pgjdbc: the extended protocol for everything, named statements and binary results from the fifth time on.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Jdbc {
	interface Case { void run() throws Exception; }
	static final List<String> CONSOLE = List.of("console"), POOLED = List.of("session", "transaction");
	static final Map<String, Case> cases = new LinkedHashMap<>();
	static final Logger log = Logger.getLogger("org.postgresql"); // held, or what is set is forgotten
	static String mode;

	static void add(List<String> modes, String name, Case c) {
		if (modes.contains(mode))
			cases.put(name, c);
	}

	static Connection connect(String... options) throws SQLException {
		Properties p = new Properties();
		p.setProperty("user", System.getenv("PGUSER"));
		p.setProperty("password", System.getenv("PGPASSWORD"));
		p.setProperty("sslmode", "disable");
		for (int i = 0; i < options.length; i += 2)
			p.setProperty(options[i], options[i + 1]);
		return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") +
			"/" + System.getenv("PGDATABASE"), p);
	}

	static void same(Object got, Object want) {
		if (!Objects.equals(got, want))
			throw new IllegalStateException("got " + got + ", want " + want);
	}

	static String fails(Case c) throws Exception {
		try {
			c.run();
		} catch (SQLException e) {
			return e.getSQLState();
		}
		throw new IllegalStateException("it did not fail");
	}

	static void show(Connection c) throws SQLException {
		try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SHOW DATABASES")) {
			boolean found = false;
			while (r.next()) {
				if (!r.getString("name").equals("test"))
					continue;
				found = true;
				same(r.getInt("port") > 0, true);
				same(r.getString("force_user"), null);
			}
			same(found, true);
		}
	}

	static void addAll() {
		add(CONSOLE, "show", () -> {
			try (Connection c = connect()) {
				show(c);
			}
		});
		for (String how : Arrays.asList("simple", "extended", "extendedForPrepared", "extendedCacheEverything"))
			add(CONSOLE, "show_" + how, () -> {
				try (Connection c = connect("preferQueryMode", how)) {
					for (int i = 0; i < 8; i++)
						show(c);
				}
			});
		add(CONSOLE, "prepared_and_binary", () -> {
			try (Connection c = connect("prepareThreshold", "1"); Connection text = connect("binaryTransfer", "false");
				PreparedStatement p = c.prepareStatement("SHOW DATABASES");
				PreparedStatement q = text.prepareStatement("SHOW DATABASES")) {
				for (int i = 0; i < 10; i++)
					try (ResultSet a = p.executeQuery(); ResultSet b = q.executeQuery()) {
						while (a.next()) {
							same(b.next(), true);
							same(a.getInt("port"), b.getInt("port"));
							same(a.getString("name"), b.getString("name"));
							same(a.getLong("pool_size"), b.getLong("pool_size"));
						}
						same(b.next(), false);
					}
				try (PreparedStatement s = c.prepareStatement("SHOW TOTALS"); PreparedStatement d = c.prepareStatement("SHOW DNS_HOSTS")) {
					for (int i = 0; i < 10; i++) {
						try (ResultSet r = s.executeQuery()) {
							while (r.next())
								same(r.getBigDecimal("value").signum() >= 0, true);
						}
						d.executeQuery().close();
					}
				}
				same(p.getMetaData().getColumnCount() >= 17, true);
				same(p.getParameterMetaData().getParameterCount(), 0);
			}
		});
		add(CONSOLE, "rows_in_portions", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				int all = 0, some = 0;
				try (ResultSet r = s.executeQuery("SHOW CONFIG")) {
					while (r.next())
						all++;
				}
				c.setAutoCommit(false);
				s.setFetchSize(7);
				try (ResultSet r = s.executeQuery("SHOW CONFIG")) {
					while (r.next())
						some++;
				}
				c.commit();
				same(some, all);
			}
		});
		add(CONSOLE, "parameters_are_refused", () -> {
			try (Connection c = connect(); PreparedStatement p = c.prepareStatement("PAUSE ?")) {
				p.setString(1, "test");
				same(fails(p::execute), "0A000");
				same(fails(() -> c.createStatement().execute("SHOW NONSENSE")), "08P01");
				show(c);
			}
		});
		add(CONSOLE, "commands", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				for (String text : Arrays.asList("PAUSE test", "RESUME test", "RELOAD", "SET log_stats = 0"))
					same(s.execute(text), false);
			}
		});
		add(POOLED, "types_and_back", () -> {
			try (Connection c = connect();
				PreparedStatement p = c.prepareStatement("select ?::int, ?::text, ?::numeric, ?::bool")) {
				for (int i = 0; i < 10; i++) {
					p.setInt(1, i);
					p.setString(2, "h\u00e4");
					p.setBigDecimal(3, new java.math.BigDecimal("12.50"));
					p.setBoolean(4, true);
					try (ResultSet r = p.executeQuery()) {
						r.next();
						same(r.getInt(1), i);
						same(r.getString(2), "h\u00e4");
						same(r.getBigDecimal(3), new java.math.BigDecimal("12.50"));
						same(r.getBoolean(4), true);
					}
				}
			}
		});
		add(POOLED, "transactions", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				s.execute("create temp table t (n int) on commit drop");
				s.execute("insert into t values (1)");
				try (ResultSet r = s.executeQuery("select count(*) from t")) {
					r.next();
					same(r.getInt(1), 1);
				}
				c.rollback();
				try (ResultSet r = s.executeQuery("select to_regclass('pg_temp.t')::text")) {
					r.next();
					same(r.getString(1), null);
				}
				c.commit();
			}
		});
		add(POOLED, "errors", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				for (int i = 0; i < 3; i++) {
					same(fails(() -> s.execute("select 1 / 0")), "22012");
					same(s.execute("select 1"), true);
				}
			}
		});
		add(POOLED, "rows_in_portions_of_a_table", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				s.setFetchSize(100);
				long sum = 0;
				try (ResultSet r = s.executeQuery("select n from generate_series(1, 1000) n")) {
					while (r.next())
						sum += r.getLong(1);
				}
				c.commit();
				same(sum, 500500L);
			}
		});
		add(POOLED, "batches", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				s.execute("create temp table t (n int) on commit drop");
				try (PreparedStatement p = c.prepareStatement("insert into t values (?)")) {
					for (int i = 0; i < 1000; i++) {
						p.setInt(1, i);
						p.addBatch();
					}
					same(p.executeBatch().length, 1000);
				}
				c.commit();
			}
		});
		add(POOLED, "clients_over_few_servers", () -> {
			Connection[] all = new Connection[8];
			for (int i = 0; i < all.length; i++)
				all[i] = connect();
			for (int i = 0; i < 40; i++)
				try (Statement s = all[i % 8].createStatement(); ResultSet r = s.executeQuery("select " + i)) {
					r.next();
					same(r.getInt(1), i);
				}
			for (Connection c : all)
				c.close();
		});
		add(POOLED, "prepared", () -> {
			Connection[] all = new Connection[8];
			PreparedStatement[] st = new PreparedStatement[8];
			for (int i = 0; i < 8; i++) {
				all[i] = connect("prepareThreshold", i % 2 == 0 ? "1" : "3");
				st[i] = all[i].prepareStatement("select ?::int + " + i);
			}
			for (int i = 0; i < 80; i++) {
				st[i % 8].setInt(1, i);
				try (ResultSet r = st[i % 8].executeQuery()) {
					r.next();
					same(r.getInt(1), i + i % 8);
				}
			}
			for (Connection c : all)
				c.close();
		});
		add(POOLED, "prepared_and_given_up", () -> { // more texts than it keeps: it closes the oldest
			try (Connection c = connect("prepareThreshold", "1", "preparedStatementCacheQueries", "2")) {
				for (int i = 0; i < 40; i++)
					try (PreparedStatement p = c.prepareStatement("select ?::int * " + i % 5)) {
						p.setInt(1, i);
						try (ResultSet r = p.executeQuery()) {
							r.next();
							same(r.getInt(1), i * (i % 5));
						}
					}
			}
		});
		add(POOLED, "prepared_and_the_table_changes", () -> { // "cached plan must not change result type": it asks again
			try (Connection c = connect("prepareThreshold", "1", "autosave", "conservative"); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				s.execute("create table jdbc_changes (a int)");
				try (PreparedStatement p = c.prepareStatement("select * from jdbc_changes")) {
					for (int i = 0; i < 3; i++)
						p.executeQuery().close();
					s.execute("alter table jdbc_changes add b text");
					try (ResultSet r = p.executeQuery()) {
						same(r.getMetaData().getColumnCount(), 2);
					}
				}
				c.rollback();
			}
		});
		add(POOLED, "savepoints", () -> {
			try (Connection c = connect("autosave", "always", "prepareThreshold", "1"); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				for (int i = 0; i < 5; i++) {
					same(fails(() -> s.execute("select 1 / 0")), "22012");
					same(s.execute("select 1"), true); // the transaction goes on
				}
				c.commit();
			}
		});
		add(POOLED, "copy", () -> {
			try (Connection c = connect(); Statement s = c.createStatement()) {
				c.setAutoCommit(false);
				s.execute("create temp table t (n int, s text) on commit drop");
				CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
				StringBuilder rows = new StringBuilder();
				for (int i = 0; i < 5000; i++)
					rows.append(i).append("\trow ").append(i).append('\n');
				same(copy.copyIn("copy t from stdin", new StringReader(rows.toString())), 5000L);
				StringWriter out = new StringWriter();
				same(copy.copyOut("copy (select * from t order by n) to stdout", out), 5000L);
				same(out.toString(), rows.toString());
				c.commit();
			}
		});
		add(POOLED, "all_at_once", () -> {
			ExecutorService threads = Executors.newFixedThreadPool(12);
			List<Future<?>> done = new ArrayList<>();
			for (int n = 0; n < 12; n++) {
				final int k = n;
				done.add(threads.submit(() -> {
					try (Connection c = connect("prepareThreshold", "2"); PreparedStatement p = c.prepareStatement("select ?::int, ?::text")) {
						c.setAutoCommit(false);
						for (int i = 0; i < 30; i++) {
							p.setInt(1, k);
							p.setString(2, "s" + i);
							try (ResultSet r = p.executeQuery()) {
								r.next();
								same(r.getInt(1), k);
								same(r.getString(2), "s" + i);
							}
							c.commit();
						}
					}
					return null;
				}));
			}
			for (Future<?> f : done)
				f.get();
			threads.shutdown();
		});
	}

	public static void main(String[] args) {
		mode = args[0];
		log.setLevel(Level.OFF); // it warns of the console's version
		addAll();
		for (Map.Entry<String, Case> e : cases.entrySet()) {
			try {
				e.getValue().run();
				System.out.println("ok " + e.getKey());
			} catch (Throwable t) {
				System.out.println("not ok " + e.getKey() + ": " + String.valueOf(t).replaceAll("\\s+", " "));
			}
		}
	}
}
