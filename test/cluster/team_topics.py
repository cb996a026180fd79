"""A team's own producer and consumer, with Confluent's client: they know nothing of RDG.

write BOOTSTRAP REGISTRY TOPIC: makes TOPIC, TOPIC.json and the compacted TOPIC.buyers, writes orders, clicks and buyers to them
evolve BOOTSTRAP REGISTRY TOPIC: registers the next version of the schema and writes with it
read BOOTSTRAP REGISTRY TOPIC COUNT: prints what is in a topic, a JSON object per line
"""

import datetime
import decimal
import json
import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

what, bootstrap, registry_url, topic = sys.argv[1:5]
registry = SchemaRegistryClient({"url": registry_url})
value_of = SerializationContext(topic, MessageField.VALUE)
start = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)

line = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int", "default": 1}],
}
fields = [
    {"name": "order_id", "type": "long"},
    {"name": "buyer", "type": {"type": "record", "name": "Buyer", "fields": [
        {"name": "email", "type": "string"},
        {"name": "since", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
    ]}},
    {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID", "SENT"]}},
    {"name": "lines", "type": {"type": "array", "items": line}},
    {"name": "paid_by", "type": ["null", "string", {"type": "record", "name": "Card", "fields": [{"name": "last4", "type": "string"}]}]},
    {"name": "trace", "type": {"type": "map", "values": "bytes"}},
]
schema = {"type": "record", "name": "OrderPlaced", "namespace": "com.shop", "fields": fields}
# The buyer is called customer now, states are added, a field with a default too.
evolved = json.loads(json.dumps(schema))
evolved["fields"][1] = {**fields[1], "name": "customer", "aliases": ["buyer"]}
evolved["fields"][4]["type"]["symbols"].append("LOST")
evolved["fields"].append({"name": "channel", "type": "string", "default": "web"})

buyer_schema = {"type": "record", "name": "com.shop.BuyerState", "fields": [
    {"name": "email", "type": "string"},
    {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["SILVER", "GOLD"]}},
    {"name": "seen", "type": ["null", "long"], "default": None},
]}
evolved_buyer = json.loads(json.dumps(buyer_schema))
evolved_buyer["fields"].append({"name": "country", "type": "string", "default": "de"})


def order(number):
    return {
        "order_id": number,
        "buyer": {"email": f"buyer {number % 3}", "since": datetime.date(2020, 1, 1) if number % 2 else None},
        "placed": start + datetime.timedelta(microseconds=number * 1_000_001),
        "total": decimal.Decimal(number * 100 + 5) / 100,
        "state": ["NEW", "PAID", "SENT"][number % 3],
        "lines": [{"sku": f"sku {i}", "count": i + 1} for i in range(number % 3)],
        "paid_by": [None, "cash", {"last4": "4242"}][number % 3],
        "trace": {"t": b"\x00\xff"},
    }


def send(producer, to, key, value, partition):
    # Some producers' clocks are years ahead.
    timestamp = 1_900_000_000_000 if key == "7" else 0
    producer.produce(to, key=key, value=value, partition=partition, timestamp=timestamp)


class Rows:
    """What is known of buyers, in a compacted topic."""

    def __init__(self, of):
        self.topic = f"{topic}.buyers"
        self.key_of = AvroSerializer(registry, json.dumps("string"))
        self.value_of = AvroSerializer(registry, json.dumps(of))
        self.producer = Producer({"bootstrap.servers": bootstrap})

    def put(self, partition, key, row):
        self.put_bytes(partition, key, self.value_of(row, SerializationContext(self.topic, MessageField.VALUE)))

    def put_bytes(self, partition, key, value):
        encoded = self.key_of(key, SerializationContext(self.topic, MessageField.KEY))
        send(self.producer, self.topic, encoded, value, partition)

    def flush(self):
        assert self.producer.flush(30) == 0


if what == "read":
    decode = AvroDeserializer(registry)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    left = int(sys.argv[5])
    while left > 0:
        message = consumer.poll(30)
        if message is None or message.error():
            raise SystemExit(f"nothing more to read: {message and message.error()}")
        print(json.dumps(decode(message.value(), value_of), default=str))
        left -= 1
    consumer.close()
elif what == "write":
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for name in (topic, f"{topic}.json", f"{topic}.buyers"):
        lenient = {"message.timestamp.after.max.ms": str(2**63 - 1)}
        if name.endswith(".buyers"):
            lenient["cleanup.policy"] = "compact"
        admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1, config=lenient)])[name].result(30)
    # Buyers by a key of their own, which is framed Avro too: one has moved to another address, one has become better, one is gone, two are damaged.
    rows = Rows(buyer_schema)
    for number, key, email, level in (
        (0, "B-0", "old 0", "GOLD"), (0, "B-0", "buyer 0", "SILVER"), (1, "B-1", "buyer 1", "SILVER"),
        (1, "B-1", "buyer 1", "GOLD"), (0, "B-2", "buyer 2", "SILVER"), (1, "B-3", "", "SILVER"),
    ):
        rows.put(number, key, {"email": email, "level": level, "seen": number})
    rows.put_bytes(0, "B-2", None)
    rows.put_bytes(0, "B-4", b"hello")
    rows.flush()
    # Avro's union of a text and a record: fastavro tells them apart by their values.
    encode = AvroSerializer(registry, json.dumps(schema))
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "zstd"})
    for number in range(1, 31):
        send(producer, topic, str(number), encode(order(number), value_of), number % 2)
    # What real topics have too: removals, other programs' bytes, records that were cut, ids of nobody.
    good = encode(order(99), value_of)
    for bad in (None, b"hello", good[:-4], b"\x00\x7f\xff\xff\xff" + good[5:]):
        send(producer, topic, "bad", bad, 0)
    for number in range(1, 11):
        text = {"id": f"c{number}", "meta": {"user-name": f"buyer {number % 3}", "at": f"2026-11-21T13:00:{number:02}Z"}, "extra": [1]}
        send(producer, f"{topic}.json", None, json.dumps(text).encode(), number % 2)
    for bad in (b"{", b'{"id": 5}', b"[]", b'{"id": "x", "meta": {"user-name": "y", "at": "yesterday"}}'):
        send(producer, f"{topic}.json", None, bad, 1)
    # A transaction, whose marker is an offset without a record; and one that is aborted.
    transactional = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic})
    transactional.init_transactions(30)
    for number, ends in ((41, transactional.commit_transaction), (42, transactional.abort_transaction)):
        transactional.begin_transaction()
        send(transactional, topic, str(number), encode(order(number), value_of), 1)
        transactional.flush(30)
        ends(30)
    assert producer.flush(30) == 0
elif what == "evolve":
    rows = Rows(evolved_buyer)
    rows.put(0, "B-2", {"email": "buyer 2", "level": "GOLD", "seen": None, "country": "at"})
    rows.flush()
    clicks = Producer({"bootstrap.servers": bootstrap})
    text = {"id": "c11", "meta": {"user-name": "buyer 2", "at": "2026-11-21T13:30:00Z"}}
    send(clicks, f"{topic}.json", None, json.dumps(text).encode(), 0)
    assert clicks.flush(30) == 0
    encode = AvroSerializer(registry, json.dumps(evolved))
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(51, 57):
        value = order(number)
        value["customer"] = value.pop("buyer")
        value["channel"] = "shop"
        if number == 56:
            value["state"] = "LOST"
        send(producer, topic, str(number), encode(value, value_of), number % 2)
    assert producer.flush(30) == 0
