"""The smallest consumer: prints the events of an exchange as they arrive.

Usage: AMQP_URL=amqp://... python3 consumer.py EXCHANGE BINDING_KEY
"""
import json
import os
import sys

import pika

if len(sys.argv) != 3:
    sys.exit("usage: consumer.py EXCHANGE BINDING_KEY")
exchange, binding_key = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.basic_qos(prefetch_count=100)  # at most 100 messages without an acknowledgement
queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
channel.queue_bind(queue, exchange, binding_key)


def on_message(channel, method, properties, body):
    # A message is a batch: the events of one slot, in the order of their commits.
    for event in json.loads(body):
        data = json.dumps(event["data"], ensure_ascii=False)
        print(event["type"], f"{event['source']}/{event['subject']}", f"#{int(event['sequence'])}", data, flush=True)
    channel.basic_ack(method.delivery_tag)  # without this the broker delivers the message again


channel.basic_consume(queue, on_message)
print("waiting for events", flush=True)
channel.start_consuming()
