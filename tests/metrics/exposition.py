"""Decodes what Prometheus calls delimited protobuf: `io.prometheus.client.MetricFamily`, each after its
length. The messages are built here, from the published definition, so that no compiler of protobuf is
needed: https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32

F = descriptor_pb2.FieldDescriptorProto
PACKAGE = "io.prometheus.client"
DOUBLE, INT32, INT64, UINT32 = F.TYPE_DOUBLE, F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32
UINT64, SINT32, SINT64, STRING = F.TYPE_UINT64, F.TYPE_SINT32, F.TYPE_SINT64, F.TYPE_STRING
# A field: its name, its number, its type or message, and whether there are several.
MESSAGES = {
    "LabelPair": [("name", 1, STRING), ("value", 2, STRING)],
    "Gauge": [("value", 1, DOUBLE)],
    "Exemplar": [("label", 1, "LabelPair", True), ("value", 2, DOUBLE)],
    "Counter": [("value", 1, DOUBLE), ("exemplar", 2, "Exemplar")],
    "Untyped": [("value", 1, DOUBLE)],
    "Bucket": [
        ("cumulative_count", 1, UINT64),
        ("upper_bound", 2, DOUBLE),
        ("exemplar", 3, "Exemplar"),
        ("cumulative_count_float", 4, DOUBLE),
    ],
    "BucketSpan": [("offset", 1, SINT32), ("length", 2, UINT32)],
    "Histogram": [
        ("sample_count", 1, UINT64),
        ("sample_sum", 2, DOUBLE),
        ("bucket", 3, "Bucket", True),
        ("sample_count_float", 4, DOUBLE),
        ("schema", 5, SINT32),
        ("zero_threshold", 6, DOUBLE),
        ("zero_count", 7, UINT64),
        ("zero_count_float", 8, DOUBLE),
        ("negative_span", 9, "BucketSpan", True),
        ("negative_delta", 10, SINT64, True),
        ("negative_count", 11, DOUBLE, True),
        ("positive_span", 12, "BucketSpan", True),
        ("positive_delta", 13, SINT64, True),
        ("positive_count", 14, DOUBLE, True),
        ("exemplars", 16, "Exemplar", True),
    ],
    "Metric": [
        ("label", 1, "LabelPair", True),
        ("gauge", 2, "Gauge"),
        ("counter", 3, "Counter"),
        ("untyped", 5, "Untyped"),
        ("timestamp_ms", 6, INT64),
        ("histogram", 7, "Histogram"),
    ],
    "MetricFamily": [
        ("name", 1, STRING),
        ("help", 2, STRING),
        ("type", 3, INT32),
        ("metric", 4, "Metric", True),
        ("unit", 5, STRING),
    ],
}


def _family_class():
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package=PACKAGE, syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, *several in fields:
            label = F.LABEL_REPEATED if several else F.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = F.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.MetricFamily"))


MetricFamily = _family_class()


def families(body):
    """All families of an answer."""
    at = 0
    while at < len(body):
        length, at = _DecodeVarint32(body, at)
        family = MetricFamily()
        family.ParseFromString(body[at : at + length])
        at += length
        yield family
    assert at == len(body)
