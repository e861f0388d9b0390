"""The smallest producer: publishes one event and waits until the broker has it.

Usage: AMQP_URL=amqp://... python3 producer.py TEXT
"""
import datetime
import json
import os
import sys
import uuid

import pika

if len(sys.argv) != 2:
    sys.exit("usage: producer.py TEXT")
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.confirm_delivery()  # publish waits for the broker's confirm
channel.exchange_declare("tutorial", exchange_type="topic", durable=True)
event = {
    "specversion": "1.0",
    "id": str(uuid.uuid4()),
    "source": "tutorial",
    "type": "greeting.sent.v1",
    "subject": "world",
    "time": datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
    "sequence": "1".zfill(19),
    "aggregate": "greeting",
    "data": {"text": sys.argv[1]},
}
properties = pika.BasicProperties(content_type="application/cloudevents-batch+json", delivery_mode=2)
channel.basic_publish("tutorial", "greeting.0", json.dumps([event]), properties, mandatory=True)
print("confirmed")
connection.close()
