import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A marketing platform in Java: publishes a send, reads its result, withdraws, asks, and publishes again.
 * Its arguments: addresses of Kafka and of the service, the recipient, a folder with the JSON, and the topics
 * of sends, consents and results.
 */
class Caller {
    private static final Duration PATIENCE = Duration.ofSeconds(120);

    public static void main(String[] given) throws Exception {
        String kafka = given[0], person = given[2], sends = given[4], consents = given[5];
        URI service = URI.create(given[1]);
        Path folder = Path.of(given[3]);
        Map<String, Object> writing = Map.of("bootstrap.servers", kafka, "acks", "all", "enable.idempotence", true);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(writing, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>(sends, person, read(folder, "first"))).get();
            System.out.println("first " + outcome(kafka, given[6], "first"));
            RecordMetadata at = producer.send(new ProducerRecord<>(consents, person, read(folder, "withdrawal"))).get();
            String asked = read(folder, "question").replace("PLACE", "consents/" + at.partition() + "/" + at.offset());
            System.out.println("asked " + post(service.resolve("access/v1/evaluation"), asked));
            producer.send(new ProducerRecord<>(sends, person, read(folder, "second"))).get();
            System.out.println("second " + outcome(kafka, given[6], "second"));
        }
    }

    /** The outcome of a send, by its event id, which is the key of its results. */
    private static String outcome(String kafka, String topic, String event) throws Exception {
        Map<String, Object> reading = Map.of(
                "bootstrap.servers", kafka, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> all = consumer.partitionsFor(topic).stream()
                    .map(one -> new TopicPartition(one.topic(), one.partition()))
                    .toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long end = System.nanoTime() + PATIENCE.toNanos();
            while (System.nanoTime() < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (event.equals(record.key())) {
                        return new ObjectMapper().readTree(record.value()).get("outcome").asText();
                    }
                }
            }
        }
        throw new IllegalStateException("no outcome of " + event);
    }

    private static String post(URI address, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(address)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
    }

    private static String read(Path folder, String name) throws Exception {
        return Files.readString(folder.resolve(name + ".json"));
    }
}
