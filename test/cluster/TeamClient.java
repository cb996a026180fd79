// A team's own producer and consumer: Apache Kafka's Java client with Apicurio's Avro serde in Confluent's framing. It knows nothing of RDG.
//
// write BOOTSTRAP REGISTRY TOPIC COUNT: makes TOPIC and TOPIC.json, writes so many shipments to TOPIC, and one removal
// read BOOTSTRAP REGISTRY TOPIC COUNT: prints so many records, a JSON object per line

import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

class TeamClient {
    static final Schema SHIPMENT = new Schema.Parser().parse("""
        {"type": "record", "name": "Shipment", "namespace": "com.ship", "fields": [
          {"name": "id", "type": {"type": "string", "avro.java.string": "String"}},
          {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "weight", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}},
          {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "SENT"]}},
          {"name": "to", "type": {"type": "record", "name": "Address", "fields": [
            {"name": "city", "type": "string"}, {"name": "zip", "type": ["null", "string", "int"], "default": null}]}},
          {"name": "tags", "type": {"type": "map", "values": "string"}}
        ]}""");

    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", args[1],
            "apicurio.registry.url", args[2],
            "apicurio.registry.as-confluent", true,
            "apicurio.registry.headers.enabled", false,
            "apicurio.registry.use-id", "contentId",
            "apicurio.registry.auto-register", true,
            "apicurio.registry.artifact-resolver-strategy", "io.apicurio.registry.serde.strategy.TopicIdStrategy"));
        String topic = args[3];
        int count = Integer.parseInt(args[4]);
        if (args[0].equals("write")) write(settings, topic, count);
        else read(settings, topic, count);
    }

    static void write(Map<String, Object> settings, String topic, int count) throws Exception {
        try (Admin admin = Admin.create(settings)) {
            admin.createTopics(Stream.of(topic, topic + ".json").map(name -> new NewTopic(name, 2, (short) 1)).toList()).all().get();
        }
        settings.putAll(Map.of(
            "key.serializer", StringSerializer.class, "value.serializer", AvroKafkaSerializer.class,
            "enable.idempotence", true, "compression.type", "lz4"));
        try (KafkaProducer<String, GenericRecord> producer = new KafkaProducer<>(settings)) {
            for (int i = 1; i <= count; i++) {
                GenericRecord to = new GenericData.Record(SHIPMENT.getField("to").schema());
                to.put("city", "city " + i % 2);
                to.put("zip", i % 3 == 0 ? null : i % 3 == 1 ? (Object) ("Z" + i) : (Object) i);
                GenericRecord shipment = new GenericData.Record(SHIPMENT);
                shipment.put("id", "s" + i);
                shipment.put("at", 1_790_000_000_000_000L + i);
                shipment.put("weight", ByteBuffer.wrap(new BigDecimal(i + ".125").unscaledValue().toByteArray()));
                shipment.put("state", new GenericData.EnumSymbol(SHIPMENT.getField("state").schema(), i % 2 == 0 ? "SENT" : "OPEN"));
                shipment.put("to", to);
                shipment.put("tags", Map.of("n", "" + i));
                ProducerRecord<String, GenericRecord> record = new ProducerRecord<>(topic, "s" + i, shipment);
                record.headers().add("trace", ("t" + i).getBytes(StandardCharsets.UTF_8));
                producer.send(record).get();
            }
            producer.send(new ProducerRecord<>(topic, "s1", null)).get();
        }
    }

    static void read(Map<String, Object> settings, String topic, int count) {
        settings.putAll(Map.of(
            "key.deserializer", StringDeserializer.class, "value.deserializer", AvroKafkaDeserializer.class,
            "isolation.level", "read_committed"));
        try (KafkaConsumer<String, GenericRecord> consumer = new KafkaConsumer<>(settings)) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(each -> new TopicPartition(topic, each.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (count > 0) {
                for (ConsumerRecord<String, GenericRecord> record : consumer.poll(Duration.ofSeconds(30))) {
                    String key = record.key() == null ? null : "\"" + record.key() + "\"";
                    System.out.println("{\"key\": " + key + ", \"value\": " + record.value() + "}");
                    count--;
                }
            }
        }
    }
}
