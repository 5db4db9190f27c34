// The neighbours' own Java clients, doing what a connector does: reading and publishing messages of RabbitMQ, writing rows to Cassandra.
// Prints what it did and how long that took, without its start.
//
//   Neighbours amqp-read|amqp-write HOST PORT USER PASSWORD QUEUE COUNT
//   Neighbours cql-write HOST PORT USER PASSWORD KEYSPACE COUNT        into the table lines (id bigint, line text)
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;

public final class Neighbours {
  static final int WINDOW = 1000;  // under way at a time, as the connectors have it
  static final String LINE = "w12345 w23456 w34567 w45678 w56789 w67890 w78901 w89012 w90123 w01234";

  public static void main(String[] args) throws Exception {
    long count = Long.parseLong(args[6]);
    long begun = System.nanoTime();
    switch (args[0]) {
      case "amqp-read" -> read(args, count);
      case "amqp-write" -> publish(args, count);
      case "cql-write" -> insert(args, count);
      default -> throw new IllegalArgumentException(args[0]);
    }
    System.out.println("records=" + count + " ms=" + (System.nanoTime() - begun) / 1_000_000);
    System.exit(0);
  }

  static Connection connect(String[] args) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost(args[1]);
    factory.setPort(Integer.parseInt(args[2]));
    factory.setUsername(args[3]);
    factory.setPassword(args[4]);
    return factory.newConnection();
  }

  // Acknowledges what it has read, hundreds at a time.
  static void read(String[] args, long count) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    Channel channel = connect(args).createChannel();
    channel.basicQos(WINDOW);
    channel.basicConsume(args[5], false, new DefaultConsumer(channel) {
      long seen = 0;

      @Override
      public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) throws IOException {
        ++seen;
        if (seen % (WINDOW / 4) == 0 || seen == count) getChannel().basicAck(envelope.getDeliveryTag(), true);
        if (seen == count) done.countDown();
      }
    });
    done.await();
  }

  // Persistent messages, each confirmed.
  static void publish(String[] args, long count) throws Exception {
    Channel channel = connect(args).createChannel();
    channel.confirmSelect();
    for (long i = 0; i < count; ++i) {
      channel.basicPublish("", args[5], MessageProperties.PERSISTENT_TEXT_PLAIN, LINE.getBytes());
      if ((i + 1) % WINDOW == 0) channel.waitForConfirmsOrDie(60_000);
    }
    channel.waitForConfirmsOrDie(60_000);
  }

  static void insert(String[] args, long count) throws Exception {
    CqlSession session = CqlSession.builder()
        .addContactPoint(new InetSocketAddress(args[1], Integer.parseInt(args[2])))
        .withLocalDatacenter("datacenter1").withAuthCredentials(args[3], args[4]).withKeyspace(args[5]).build();
    PreparedStatement statement = session.prepare("INSERT INTO lines (id, line) VALUES (?, ?)");
    Semaphore window = new Semaphore(WINDOW);
    AtomicLong failed = new AtomicLong();
    for (long i = 0; i < count; ++i) {
      window.acquire();
      session.executeAsync(statement.bind(i, LINE)).whenComplete((rows, error) -> {
        if (error != null) failed.incrementAndGet();
        window.release();
      });
    }
    window.acquire(WINDOW);
    if (failed.get() > 0) throw new IllegalStateException(failed.get() + " rows were not written");
  }
}
