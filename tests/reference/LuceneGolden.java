import java.io.BufferedReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;

/**
 * What Lucene answers, for the tests of the text index to compare with. See lucene.sh.
 *
 * <pre>
 *   analyze standard|english TEXTS              a line per line of TEXTS: its terms, tab-separated
 *   characters                                  a line per run of characters that both analyzers treat alike
 *   search standard|english SENTENCES QUERIES   a line per query: ten times sentence number and score, tab-separated
 *   random                                      a thousand lines of characters that the tokenizer tells apart, for analyze
 *   classes                                     indices/src/text/character_ranges.rs
 * </pre>
 */
public class LuceneGolden {
  static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "analyze":
        try (BufferedReader texts = Files.newBufferedReader(Path.of(args[2]))) {
          Analyzer analyzer = analyzer(args[1]);
          for (String text = texts.readLine(); text != null; text = texts.readLine()) {
            OUT.println(String.join("\t", terms(analyzer, text)));
          }
        }
        break;
      case "characters":
        characters();
        break;
      case "search":
        search(analyzer(args[1]), Files.readAllLines(Path.of(args[2])), Files.readAllLines(Path.of(args[3])));
        break;
      case "random":
        random(1000);
        break;
      case "classes":
        classes();
        break;
      default:
        throw new IllegalArgumentException(args[0]);
    }
    OUT.flush();
  }

  static Analyzer analyzer(String name) {
    return name.equals("english") ? new EnglishAnalyzer() : new StandardAnalyzer();
  }

  static List<String> terms(Analyzer analyzer, String text) throws Exception {
    List<String> terms = new ArrayList<>();
    try (TokenStream stream = analyzer.tokenStream("text", text)) {
      CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
      stream.reset();
      while (stream.incrementToken()) {
        terms.add(term.toString());
      }
      stream.end();
    }
    return terms;
  }

  /** Each character in ten surroundings: how many terms there are, how long each is, and how far it lies from its lower case. */
  static void characters() throws Exception {
    Analyzer analyzer = analyzer("standard");
    String[][] surroundings = {
      {"", ""}, {"a", "a"}, {"1", "1"}, {"a", "1"}, {"\u05d0", "\u05d0"}, {"\u30ab", "\u30ab"}, {"_", "_"},
      {"\ud83d\ude00", "\ud83d\ude00"}, {"1", "\u20e3"}, {"\u0e01", "\u0e01"}
    };
    int start = 0;
    String before = null;
    for (int code = 0; code <= 0x110000; code++) {
      StringBuilder signature = new StringBuilder();
      if (code < 0x110000 && (code < 0xd800 || code > 0xdfff)) {
        String character = new String(Character.toChars(code));
        for (String[] pair : surroundings) {
          for (String term : terms(analyzer, pair[0] + character + pair[1])) {
            signature.append(term.codePointCount(0, term.length()));
          }
          signature.append(' ');
        }
        List<String> alone = terms(analyzer, character);
        signature.append(alone.isEmpty() ? 0 : alone.get(0).codePointAt(0) - code);
      }
      if (!signature.toString().equals(before)) {
        if (before != null && !before.isEmpty()) {
          OUT.printf("%x\t%x\t%s%n", start, code - 1, before);
        }
        start = code;
        before = signature.toString();
      }
    }
  }

  static void search(Analyzer analyzer, List<String> sentences, List<String> queries) throws Exception {
    ByteBuffersDirectory directory = new ByteBuffersDirectory();
    IndexWriterConfig config = new IndexWriterConfig(analyzer);
    config.setSimilarity(new BM25Similarity(1.2f, 0.75f));
    try (IndexWriter writer = new IndexWriter(directory, config)) {
      for (String sentence : sentences) {
        Document document = new Document();
        document.add(new TextField("text", sentence, Field.Store.NO));
        writer.addDocument(document);
      }
      writer.forceMerge(1);
    }
    try (DirectoryReader reader = DirectoryReader.open(directory)) {
      IndexSearcher searcher = new IndexSearcher(reader);
      searcher.setSimilarity(new BM25Similarity(1.2f, 0.75f));
      for (String query : queries) {
        BooleanQuery.Builder clauses = new BooleanQuery.Builder();
        for (String term : terms(analyzer, query)) {
          clauses.add(new TermQuery(new Term("text", term)), BooleanClause.Occur.SHOULD);
        }
        List<String> hits = new ArrayList<>();
        for (ScoreDoc hit : searcher.search(clauses.build(), 10).scoreDocs) {
          hits.add(hit.doc + "\t" + hit.score);
        }
        OUT.println(String.join("\t", hits));
      }
    }
  }

  /** Lines of a few kinds of characters each, so that the rules about neighbours are met; one in thirty is long. */
  static void random(int lines) throws Exception {
    List<List<int[]>> classes = new ArrayList<>(ranges().values());
    Random random = new Random(29);
    for (int line = 0; line < lines; line++) {
      List<List<int[]>> pool = new ArrayList<>();
      for (int kinds = 2 + random.nextInt(6); kinds > 0; kinds--) {
        pool.add(classes.get(random.nextInt(classes.size())));
      }
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(30) == 0 ? 240 + random.nextInt(300) : 1 + random.nextInt(20);
      while (text.length() < length) {
        List<int[]> kind = pool.get(random.nextInt(pool.size()));
        int[] range = kind.get(random.nextInt(kind.size()));
        int code = range[0] + random.nextInt(range[1] - range[0] + 1);
        int type = Character.getType(code);
        if (type != Character.CONTROL
            && type != Character.SURROGATE
            && type != Character.LINE_SEPARATOR
            && type != Character.PARAGRAPH_SEPARATOR) {
          text.appendCodePoint(code);
        }
      }
      OUT.println(text);
    }
  }

  /** By class, the first and last character of each range. */
  static TreeMap<Integer, List<int[]>> ranges() throws Exception {
    Class<?> scanner = Class.forName("org.apache.lucene.analysis.standard.StandardTokenizerImpl");
    Method map = scanner.getDeclaredMethod("zzCMap", int.class);
    map.setAccessible(true);
    TreeMap<Integer, List<int[]>> ranges = new TreeMap<>();
    int start = 0;
    for (int code = 1; code <= 0x110000; code++) {
      int kind = (Integer) map.invoke(null, start);
      if (code == 0x110000 || (Integer) map.invoke(null, code) != kind) {
        ranges.computeIfAbsent(kind, k -> new ArrayList<>()).add(new int[] {start, code - 1});
        start = code;
      }
    }
    return ranges;
  }

  static void classes() throws Exception {
    String[] names =
        ("Other DoubleQuote KeycapBase SingleQuote MidNum MidNumLet Digit MidLetter Letter ExtendNumLet Emoji Extend"
                + " Hebrew Numeric Complex ComplexExtend Hangul Joiner Keycap EmojiLetter Han Katakana Hiragana"
                + " TextSelector EmojiSelector Regional SkinTone Tag TagEnd")
            .split(" ");
    OUT.println("//! Generated by `tests/reference/lucene.sh`; do not edit. The characters of each class in Lucene 9.5's standard");
    OUT.println("//! tokenizer: properties of Unicode 12.1 (Unicode licence), which later versions of Unicode changed in places.");
    OUT.println();
    OUT.println("use super::characters::Class;");
    OUT.println();
    OUT.println("/// Per class, first and last of each range of characters in turn.");
    OUT.println("pub(super) static RANGES: [(Class, &[u32]); " + (names.length - 1) + "] = [");
    for (var kind : ranges().entrySet()) {
      if (kind.getKey() > 0) {
        List<String> pairs = new ArrayList<>();
        for (int[] range : kind.getValue()) {
          pairs.add(String.format("0x%x, 0x%x", range[0], range[1]));
        }
        OUT.println("(Class::" + names[kind.getKey()] + ", &[" + String.join(", ", pairs) + "]),");
      }
    }
    OUT.println("];");
  }
}
