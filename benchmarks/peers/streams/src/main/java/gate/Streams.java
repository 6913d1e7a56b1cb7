package gate;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams, exactly once: sends joined with the table of consents. */
public final class Streams {
  private static String named(String name) {
    return System.getenv("PEER_" + name);
  }

  private static Serde<Job.Consent> consents() {
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : Job.CONSENT_BYTES.writeValueAsBytes(value);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : Job.CONSENT.readValue(bytes);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }

  public static void main(String[] arguments) throws IOException {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, named("GROUP"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, named("BOOTSTRAP"));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, "2");
    settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
    settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "5");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), "50");

    Serde<Job.Consent> consent = consents();
    Materialized<String, Job.Consent, KeyValueStore<Bytes, byte[]>> store =
        Materialized.as(Stores.inMemoryKeyValueStore("consents"));
    StreamsBuilder builder = new StreamsBuilder();
    KTable<String, Job.Consent> known =
        builder.table(
            named("CONSENTS"),
            Consumed.with(Serdes.String(), consent),
            store.withKeySerde(Serdes.String()).withValueSerde(consent).withCachingDisabled());
    KStream<String, Job.Answer> answers =
        builder.stream(named("SENDS"), Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .leftJoin(known, Job::process, Joined.with(Serdes.String(), Serdes.ByteArray(), consent));
    Produced<String, byte[]> out = Produced.with(Serdes.String(), Serdes.ByteArray());
    answers
        .split()
        .branch(
            (key, answer) -> answer.cleared(),
            Branched.withConsumer(some -> some.mapValues(Job.Answer::out).to(named("CLEARED"), out)))
        .defaultBranch(
            Branched.withConsumer(some -> some.mapValues(Job.Answer::out).to(named("REVIEW"), out)));
    answers.mapValues(Job.Answer::audit).to(named("AUDIT"), out);

    KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(5))));
    streams.start();
  }
}
