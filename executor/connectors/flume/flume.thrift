// What a Thrift sink of Apache Flume sends, after the protocol that Flume publishes. The framing is TFramedTransport, the
// encoding TCompactProtocol, or TBinaryProtocol where the sink is set to it.
namespace cpp millrace.flume_wire

struct ThriftFlumeEvent {
  1: required map<string, string> headers,
  2: required binary body,
}

enum Status {
  OK,
  FAILED,
  ERROR,
  UNKNOWN,
}

service ThriftSourceProtocol {
  Status append(1: ThriftFlumeEvent event),
  Status appendBatch(1: list<ThriftFlumeEvent> events),
}
