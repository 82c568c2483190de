// What a Java virtual machine does with its threads: monitors, pools, safepoints, collections, stack guards, selectors.
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

public class Threads {
  static int shared;
  static synchronized void add() {
    shared++;
  }
  static volatile boolean stop;
  record Point(int x, int y) {}
  sealed interface Shape permits Circle, Square {}
  record Circle(double r) implements Shape {}
  record Square(double s) implements Shape {}
  static class Fib extends RecursiveTask<Integer> {
    final int n;
    Fib(int n) {
      this.n = n;
    }
    protected Integer compute() {
      if (n < 12)
        return plain(n);
      Fib a = new Fib(n - 1);
      a.fork();
      return new Fib(n - 2).compute() + a.join();
    }
    static int plain(int n) {
      return n < 2 ? n : plain(n - 1) + plain(n - 2);
    }
  }
  static void threads(int n, IntConsumerThrowing body) throws Exception {
    Thread[] t = new Thread[n];
    for (int i = 0; i < n; i++) {
      int k = i;
      t[i] = new Thread(() -> {
        try {
          body.accept(k);
        } catch (Exception e) {
          e.printStackTrace();
        }
      });
      t[i].start();
    }
    for (Thread x : t) x.join();
  }
  interface IntConsumerThrowing {
    void accept(int i) throws Exception;
  }
  static int depth(int n) {
    return n == 0 ? 0 : 1 + depth(n - 1);
  }

  public static void main(String[] args) throws Exception {
    threads(6, i -> {
      for (int k = 0; k < 5000; k++) add();
    });
    System.out.println("synchronized " + shared);
    Object turn = new Object();
    int[] at = {0};
    threads(5, i -> {
      for (int k = 0; k < 20; k++) synchronized (turn) {
          while (at[0] % 5 != i) turn.wait();
          at[0]++;
          turn.notifyAll();
        }
    });
    System.out.println("wait and notify " + at[0]);
    ReentrantLock lock = new ReentrantLock(true);
    Condition full = lock.newCondition();
    ArrayDeque<Integer> queue = new ArrayDeque<>();
    LongAdder sum = new LongAdder();
    threads(4, i -> {
      for (int k = 0; k < 300; k++) {
        lock.lock();
        try {
          if (i % 2 == 0) {
            queue.add(k);
            full.signal();
          } else {
            while (queue.isEmpty()) full.await();
            sum.add(queue.poll());
          }
        } finally {
          lock.unlock();
        }
      }
    });
    System.out.println("conditions " + sum + " " + lock.tryLock(1, TimeUnit.MILLISECONDS));
    System.out.println("fork join " + new ForkJoinPool(4).invoke(new Fib(24)));
    System.out.println("parallel " + IntStream.range(0, 200000).parallel().filter(x -> x % 7 == 0).mapToLong(x -> x).sum());
    ExecutorService pool = Executors.newFixedThreadPool(4);
    System.out.println(pool.invokeAll(IntStream.range(0, 8).mapToObj(i -> (Callable<Integer>) () -> i * i).toList())
            .stream()
            .map(f -> {
              try {
                return f.get();
              } catch (Exception e) {
                return -1;
              }
            })
            .toList());
    System.out.println(CompletableFuture.supplyAsync(() -> 20, pool)
            .thenCombineAsync(CompletableFuture.supplyAsync(() -> 22), Integer::sum)
            .get());
    ScheduledExecutorService clock = Executors.newScheduledThreadPool(2);
    CountDownLatch ticks = new CountDownLatch(5);
    clock.scheduleAtFixedRate(ticks::countDown, 1, 2, TimeUnit.MILLISECONDS);
    System.out.println("ticks " + ticks.await(10, TimeUnit.SECONDS));
    clock.shutdownNow();
    Phaser phaser = new Phaser(3);
    threads(3, i -> {
      for (int k = 0; k < 10; k++) phaser.arriveAndAwaitAdvance();
    });
    System.out.println("phases " + phaser.getPhase());
    // a loop without a safepoint poll of its own, which the collector has to stop
    long[] spun = {0};
    Thread spinner = new Thread(() -> {
      long n = 0;
      while (!stop) n++;
      spun[0] = n;
    });
    spinner.start();
    for (int i = 0; i < 5; i++) {
      System.gc();
      Thread.sleep(1);
    }
    stop = true;
    spinner.join();
    System.out.println("spun " + (spun[0] > 0));
    ConcurrentHashMap<Integer, List<Point>> garbage = new ConcurrentHashMap<>();
    threads(4, i -> {
      for (int k = 0; k < 30000; k++) garbage.put((i * 1000) + k % 100, List.of(new Point(k, i), new Point(i, k)));
    });
    System.out.println("garbage " + garbage.size() + " " + garbage.get(3007).get(0));
    System.out.println("depth " + depth(3000));
    try {
      depth(100_000_000);
    } catch (StackOverflowError e) {
      System.out.println("stack overflow");
    }
    try {
      Object o = new long[Integer.MAX_VALUE][];
      System.out.println(o);
    } catch (OutOfMemoryError e) {
      System.out.println("out of memory");
    }
    try {
      int[] a = new int[2];
      a[args.length + 2] = 1;
    } catch (ArrayIndexOutOfBoundsException e) {
      System.out.println(e.getMessage());
    }
    try {
      System.out.println(1 / args.length);
    } catch (ArithmeticException e) {
      System.out.println(e.getMessage());
    }
    try {
      String s = args.length == 0 ? null : "";
      s.length();
    } catch (NullPointerException e) {
      System.out.println(e.getMessage());
    }
    Thread sleeper = new Thread(() -> {
      try {
        Thread.sleep(100000);
      } catch (InterruptedException e) {
        System.out.println("interrupted");
      }
    });
    sleeper.start();
    sleeper.interrupt();
    sleeper.join();
    ThreadLocal<Integer> local = ThreadLocal.withInitial(() -> 5);
    threads(1, i -> {
      local.set(9);
      System.out.println("local " + local.get());
    });
    System.out.println("local " + local.get());
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread echo = new Thread(() -> {
        for (int i = 0; i < 6; i++) try (Socket s = server.accept()) {
            s.getOutputStream().write(
                new BufferedReader(new InputStreamReader(s.getInputStream())).readLine().toUpperCase().getBytes());
          } catch (IOException e) {
            e.printStackTrace();
          }
      });
      echo.start();
      String[] back = new String[6];
      threads(6, i -> {
        try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
          s.getOutputStream().write(("hello " + i + "\n").getBytes());
          back[i] = new String(s.getInputStream().readAllBytes());
        }
      });
      echo.join();
      System.out.println(Arrays.toString(back));
    }
    var http = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    http.createContext("/", x -> {
      byte[] b = (x.getRequestMethod() + " " + x.getRequestURI()).getBytes();
      x.sendResponseHeaders(200, b.length);
      x.getResponseBody().write(b);
      x.close();
    });
    http.setExecutor(pool);
    http.start();
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).executor(pool).build();
    var requests =
        IntStream.range(0, 4)
            .mapToObj(i
                -> client
                    .sendAsync(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + http.getAddress().getPort() + "/" + i)).build(),
                        HttpResponse.BodyHandlers.ofString())
                    .thenApply(HttpResponse::body))
            .toList();
    System.out.println(requests.stream().map(CompletableFuture::join).toList());
    http.stop(0);
    Path file = Files.createTempFile("t", "x");
    try (FileChannel c = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 8192);
      m.putInt(4096, 42);
      m.force();
      ByteBuffer b = ByteBuffer.allocateDirect(4);
      c.read(b, 4096);
      System.out.println("mapped " + b.getInt(0) + " " + Files.size(file) + " " + (c.tryLock() != null));
    }
    Pipe pipe = Pipe.open();
    pipe.source().configureBlocking(false);
    Selector selector = Selector.open();
    pipe.source().register(selector, SelectionKey.OP_READ);
    System.out.println("selected " + selector.select(1));
    pipe.sink().write(ByteBuffer.wrap(new byte[] {7}));
    System.out.println("selected " + selector.select());
    Process p = new ProcessBuilder("sh", "-c", "cat; exit 3").redirectErrorStream(true).start();
    p.getOutputStream().write("through a process".getBytes());
    p.getOutputStream().close();
    System.out.println(new String(p.getInputStream().readAllBytes()) + " " + p.waitFor());
    System.out.println(
        Stream.of(new Circle(1), new Square(2)).map(s -> s instanceof Circle c ? c.r() : ((Square) s).s()).toList()
        + String.format(" %.6f %s", Math.pow(2, .5), "text".repeat(2)));
    pool.shutdown();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    new Thread(() -> System.exit(4)).start();
    Thread.sleep(1000000);
  }
}
