import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.FieldType;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexOptions;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LogDocMergePolicy;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.MMapDirectory;

/**
 * The same searches in Lucene. See lucene_text.sh.
 *
 * <pre>
 *   build LINES INDEX THREADS   an index of lines of terms; with one thread sentences keep their order
 *   serve INDEX QUERIES K       answers commands on standard input, a line each:
 *                                 pass    all queries once: a line of "wall:cpu" in nanoseconds for each query
 *                                 hits    a line for each query: "sentence:score" of the best K
 *                                 quit
 * </pre>
 */
public class LuceneText {
  static final int BATCH = 1000;

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "build":
        build(Path.of(args[1]), Path.of(args[2]), Integer.parseInt(args[3]));
        break;
      case "serve":
        serve(Path.of(args[1]), Path.of(args[2]), Integer.parseInt(args[3]));
        break;
      default:
        throw new IllegalArgumentException(args[0]);
    }
  }

  static long processCpu() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  /** Prints: seconds by the wall and of processor time until the index can be searched, and until it has one segment. */
  static void build(Path lines, Path index, int threads) throws Exception {
    IndexWriterConfig config = new IndexWriterConfig(new WhitespaceAnalyzer());
    config.setSimilarity(new BM25Similarity(1.2f, 0.75f));
    config.setRAMBufferSizeMB(1024);
    config.setOpenMode(IndexWriterConfig.OpenMode.CREATE);
    if (threads == 1) {
      // Merges neighbours only.
      config.setMergePolicy(new LogDocMergePolicy());
    }
    FieldType type = new FieldType();
    type.setIndexOptions(IndexOptions.DOCS_AND_FREQS);
    type.setTokenized(true);
    type.freeze();
    long wall = System.nanoTime();
    long cpu = processCpu();
    double[] times = new double[4];
    try (MMapDirectory directory = new MMapDirectory(index);
        BufferedReader reader = Files.newBufferedReader(lines);
        IndexWriter writer = new IndexWriter(directory, config)) {
      Callable<Void> work =
          () -> {
            Document document = new Document();
            Field field = new Field("text", "", type);
            document.add(field);
            for (List<String> batch = batch(reader); !batch.isEmpty(); batch = batch(reader)) {
              for (String line : batch) {
                field.setStringValue(line);
                writer.addDocument(document);
              }
            }
            return null;
          };
      if (threads == 1) {
        work.call();
      } else {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Void>> done = new ArrayList<>();
        for (int thread = 0; thread < threads; thread++) {
          done.add(pool.submit(work));
        }
        for (Future<Void> one : done) {
          one.get();
        }
        pool.shutdown();
      }
      writer.commit();
      times[0] = (System.nanoTime() - wall) / 1e9;
      times[1] = (processCpu() - cpu) / 1e9;
      writer.forceMerge(1);
      writer.commit();
      times[2] = (System.nanoTime() - wall) / 1e9;
      times[3] = (processCpu() - cpu) / 1e9;
    }
    System.out.printf("%.2f %.2f %.2f %.2f%n", times[0], times[1], times[2], times[3]);
  }

  /** The next lines that are not empty; none at the end. */
  static List<String> batch(BufferedReader reader) throws IOException {
    List<String> lines = new ArrayList<>(BATCH);
    synchronized (reader) {
      while (lines.size() < BATCH) {
        String line = reader.readLine();
        if (line == null) {
          break;
        }
        if (!line.isEmpty()) {
          lines.add(line);
        }
      }
    }
    return lines;
  }

  static Query query(String line) {
    BooleanQuery.Builder clauses = new BooleanQuery.Builder();
    if (!line.isEmpty()) {
      for (String term : line.split(" ")) {
        clauses.add(new TermQuery(new Term("text", term)), BooleanClause.Occur.SHOULD);
      }
    }
    return clauses.build();
  }

  static void serve(Path index, Path queries, int k) throws Exception {
    BooleanQuery.setMaxClauseCount(1 << 20);
    List<String> lines = Files.readAllLines(queries);
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    try (DirectoryReader reader = DirectoryReader.open(new MMapDirectory(index))) {
      IndexSearcher searcher = new IndexSearcher(reader);
      searcher.setSimilarity(new BM25Similarity(1.2f, 0.75f));
      searcher.setQueryCache(null);
      out.write(reader.numDocs() + " " + reader.leaves().size() + "\n");
      out.flush();
      for (String command = commands.readLine(); command != null && !command.equals("quit"); command = commands.readLine()) {
        StringBuilder answer = new StringBuilder();
        for (String line : lines) {
          if (command.equals("pass")) {
            long wall = System.nanoTime();
            long cpu = threads.getCurrentThreadCpuTime();
            searcher.search(query(line), k);
            long cpuEnd = threads.getCurrentThreadCpuTime();
            answer.append(System.nanoTime() - wall).append(':').append(cpuEnd - cpu).append(' ');
          } else {
            for (ScoreDoc hit : searcher.search(query(line), k).scoreDocs) {
              answer.append(hit.doc).append(':').append(hit.score).append(' ');
            }
            answer.append('\n');
          }
        }
        if (command.equals("pass")) {
          answer.append('\n');
        }
        out.write(answer.toString());
        out.flush();
      }
    }
  }
}
