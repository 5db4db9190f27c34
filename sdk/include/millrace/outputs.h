// The output operators of DStream<T>: Print, ForEachBatch, ToKafka, ToCassandra, ToRabbitMq, ToFiles, ToSink. A
// stream that reaches none of them is not computed.
//
// Each may be called on the same stream, and several times. All take effect when the batch is durable, in batch order
// in each partition. Errors: std::invalid_argument when an option that must be there is missing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/cassandra.h"
#include "millrace/custom_sink.h"
#include "millrace/internal/cassandra_records.h"
#include "millrace/internal/sink_operators.h"
#include "millrace/internal/std_types.h"
#include "millrace/internal/stream_base.h"
#include "millrace/owned.h"
#include "millrace/rabbitmq.h"
#include "millrace/sinks.h"
#include "millrace/to_text.h"

namespace millrace {

template <class T>
class OutputOperations : public detail::StreamBase {
  using Where = std::source_location;

 public:
  using StreamBase::StreamBase;

  // Shows up to `limit` records of each partition of each batch, and how many there were, where the job is watched
  // (`millrace logs`). Needs ToText<T>.
  Output Print(std::uint64_t limit = 10, Where where = Where::current()) const {
    static_assert(HasText<T>, "Print needs a millrace::ToText for this record type; see <millrace/to_text.h>");
    detail::Node node = SinkNode("Print", "console", {{"limit", std::to_string(limit)}}, where);
    node.make = detail::MakeFactory<detail::ConsoleOperator<T>>(limit);
    return Output(graph(), graph()->Add(std::move(node)));
  }

  // Calls f(const BatchContext&, std::span<const T>) once for each partition of each batch, with all its records, also
  // when there are none. At least once: after a failure the same call comes again; see <millrace/batch_context.h> for
  // how to make that harmless. What f throws fails the attempt. The records are kept in memory until then.
  template <class F>
  Output ForEachBatch(F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const F&, const BatchContext&, std::span<const T>>,
                  "ForEachBatch needs a function that can be called as f(const BatchContext&, std::span<const T>)");
    static_assert(
        detail::kCanBeKept<T>,
        "ForEachBatch keeps records, and this type holds views: Map it to owned text, or specialise OwnedTraits");
    detail::Node node = SinkNode("ForEachBatch", "function", {}, where);
    node.runs_empty = true;
    node.make = detail::MakeFactoryFor<detail::FunctionOperator<T, F>>(std::make_shared<const F>(std::move(f)));
    return Output(graph(), graph()->Add(std::move(node)));
  }

  // Writes f(record) to a topic, where f gives a KafkaOutput or a text (a value without key).
  template <class F>
  Output ToKafka(KafkaSinkOptions options, F f, Where where = Where::current()) const {
    using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    constexpr bool kRecord = std::is_same_v<Result, KafkaOutput>;
    static_assert(kRecord || std::is_convertible_v<Result, std::string_view>,
                  "ToKafka needs a function that gives a millrace::KafkaOutput or a text");
    return AddRows("ToKafka", "kafka", KafkaRowOptions(options, where), where,
                   [f = std::move(f)](const T& record, detail::RowWriter& rows) {
                     const auto& row = std::invoke(f, record);
                     if constexpr (kRecord) {
                       rows.AddKeyed(row.key, row.value);
                     } else {
                       rows.AddValue(row);
                     }
                   });
  }

  // Writes a pair as key and value, a text as a value.
  Output ToKafka(KafkaSinkOptions options, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T> || std::is_convertible_v<const T&, std::string_view>,
                  "ToKafka writes pairs and texts; pass a function that makes a millrace::KafkaOutput of this type");
    return AddRows("ToKafka", "kafka", KafkaRowOptions(options, where), where,
                   [](const T& record, detail::RowWriter& rows) { rows.AddRecord(record); });
  }

  // Writes the row f(record) to a table: a pair, a tuple or a plain struct, whose fields are the values of the option
  // columns, or a CassandraRow. See <millrace/cassandra.h>.
  template <class F>
  Output ToCassandra(CassandraSinkOptions options, F f, Where where = Where::current()) const {
    using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    static_assert(detail::IsCassandraRecord<Result>(),
                  "ToCassandra needs a function that gives a pair, a tuple or a plain struct of values, or a "
                  "millrace::CassandraRow; see <millrace/cassandra.h> for what a value is");
    return AddRows("ToCassandra", "cassandra", detail::CassandraRowOptions<Result>(options, where), where,
                   [f = std::move(f)](const T& record, detail::RowWriter& rows) {
                     rows.BeginRow();
                     detail::AppendCassandraRecord(rows.text(), std::invoke(f, record));
                     rows.EndRow();
                   });
  }

  // Writes the record itself.
  Output ToCassandra(CassandraSinkOptions options, Where where = Where::current()) const {
    static_assert(
        detail::IsCassandraRecord<T>(),
        "ToCassandra writes pairs, tuples and plain structs of values; pass a function that makes one of this "
        "type, or a millrace::CassandraRow");
    return AddRows("ToCassandra", "cassandra", detail::CassandraRowOptions<T>(options, where), where,
                   [](const T& record, detail::RowWriter& rows) {
                     rows.BeginRow();
                     detail::AppendCassandraRecord(rows.text(), record);
                     rows.EndRow();
                   });
  }

  // Publishes f(record) to an exchange, where f gives a RabbitMqOutput or a text (a body without routing key). At least
  // once.
  template <class F>
  Output ToRabbitMq(RabbitMqSinkOptions options, F f, Where where = Where::current()) const {
    using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
    constexpr bool kMessage = std::is_same_v<Result, RabbitMqOutput>;
    static_assert(kMessage || std::is_convertible_v<Result, std::string_view>,
                  "ToRabbitMq needs a function that gives a millrace::RabbitMqOutput or a text");
    return AddRows("ToRabbitMq", "rabbitmq", RabbitMqRowOptions(options, where), where,
                   [f = std::move(f)](const T& record, detail::RowWriter& rows) {
                     const auto& row = std::invoke(f, record);
                     if constexpr (kMessage) {
                       rows.AddKeyed(row.routing_key, row.body);
                     } else {
                       rows.AddValue(row);
                     }
                   });
  }

  // Publishes a pair as routing key and body, a text as a body.
  Output ToRabbitMq(RabbitMqSinkOptions options, Where where = Where::current()) const {
    static_assert(detail::kIsPair<T> || std::is_convertible_v<const T&, std::string_view>,
                  "ToRabbitMq publishes pairs and texts; pass a function that makes a millrace::RabbitMqOutput of this "
                  "type");
    return AddRows("ToRabbitMq", "rabbitmq", RabbitMqRowOptions(options, where), where,
                   [](const T& record, detail::RowWriter& rows) { rows.AddRecord(record); });
  }

  // Writes f(record), a text, as a line of a file; f should not make line breaks.
  template <class F>
  Output ToFiles(FilesSinkOptions options, F f, Where where = Where::current()) const {
    using Result = std::invoke_result_t<const F&, const T&>;
    static_assert(std::is_convertible_v<Result, std::string_view>, "ToFiles needs a function that gives a text");
    return AddRows(
        "ToFiles", "files", FileRowOptions(options, where), where,
        [f = std::move(f)](const T& record, detail::RowWriter& rows) { rows.AddValue(std::invoke(f, record)); });
  }

  // Writes the record's text as a line.
  Output ToFiles(FilesSinkOptions options, Where where = Where::current()) const {
    static_assert(HasText<T>, "ToFiles needs a function, or a millrace::ToText for this record type");
    return AddRows("ToFiles", "files", FileRowOptions(options, where), where,
                   [](const T& record, detail::RowWriter& rows) {
                     rows.BeginRow();
                     AppendText(rows.text(), record);
                     rows.EndRow();
                   });
  }

  // Writes f(record), a row, to a sink in the job's own code: a CustomSink of what f gives. See
  // <millrace/custom_sink.h>.
  template <class S, class F>
  Output ToSink(std::shared_ptr<S> sink, F f, Where where = Where::current()) const {
    using Row = typename S::Record;
    static_assert(std::is_base_of_v<CustomSink<Row>, S>,
                  "ToSink needs a shared_ptr to a class derived from millrace::CustomSink<T>");
    static_assert(std::is_convertible_v<std::invoke_result_t<const F&, const T&>, Row>,
                  "ToSink needs a function that gives a row of the sink's type");
    if (!sink) detail::Refuse("ToSink", detail::LocationOf(where), "the sink is null; pass std::make_shared<…>(…)");
    auto append = [f = std::move(f)](const T& record, detail::RowWriter& rows) {
      rows.BeginRow();
      const Row& row = std::invoke(f, record);
      if constexpr (detail::kIsPlainText<Row>) {
        rows.text() += row;
      } else {
        ByteWriter out(rows.text());
        Encode(row, out);
      }
      rows.EndRow();
    };
    detail::Node node = SinkNode("ToSink", "custom", {{"class", detail::TypeName<S>()}}, where);
    node.sink = std::move(sink);
    node.make = detail::MakeFactoryFor<detail::RowsOperator<T, decltype(append)>>(
        std::make_shared<const decltype(append)>(std::move(append)));
    return Output(graph(), graph()->Add(std::move(node)));
  }

  // Writes the record itself.
  template <class S>
  Output ToSink(std::shared_ptr<S> sink, Where where = Where::current()) const {
    using Row = typename S::Record;
    static_assert(std::is_constructible_v<Row, const T&>,
                  "ToSink: the sink takes another type than the stream's records; pass a function that makes it");
    return ToSink(
        std::move(sink),
        [](const T& record) -> std::conditional_t<std::is_same_v<T, Row>, const T&, Row> {
          return static_cast<std::conditional_t<std::is_same_v<T, Row>, const T&, Row>>(record);
        },
        where);
  }

 private:
  detail::Node SinkNode(std::string_view name, std::string_view connector, engine::Options options,
                        const Where& where) const {
    detail::Node node = this->template Consume<T>(engine::OperatorKind::kSink, name, where);
    node.description.connector = connector;
    node.description.options = std::move(options);
    return node;
  }

  template <class F>
  Output AddRows(std::string_view name, std::string_view connector, engine::Options options, const Where& where,
                 F f) const {
    detail::Node node = SinkNode(name, connector, std::move(options), where);
    node.make = detail::MakeFactoryFor<detail::RowsOperator<T, F>>(std::make_shared<const F>(std::move(f)));
    return Output(graph(), graph()->Add(std::move(node)));
  }

  static engine::Options KafkaRowOptions(const KafkaSinkOptions& options, const Where& where) {
    detail::RequireOption("ToKafka", where, "brokers", options.brokers);
    detail::RequireOption("ToKafka", where, "topic", options.topic);
    engine::Options given = {{"brokers", options.brokers},
                             {"topic", options.topic},
                             {"exactly_once", options.exactly_once ? "true" : "false"}};
    detail::AddToMap(options.security, given);
    for (const auto& [name, value] : options.rdkafka) given["rdkafka." + name] = value;
    if (options.create_partitions == 0) return given;
    given["create_partitions"] = std::to_string(options.create_partitions);
    given["replication_factor"] = std::to_string(options.replication_factor);
    std::string& config = given["topic_config"];
    for (const auto& [name, value] : options.topic_config) config += detail::Cat(name, "=", value, "\n");
    return given;
  }
  static engine::Options RabbitMqRowOptions(const RabbitMqSinkOptions& options, const Where& where) {
    engine::Options map = detail::ToMap(options);
    detail::RequireOption("ToRabbitMq", where, "hosts", map["hosts"]);
    return map;
  }
  static engine::Options FileRowOptions(const FilesSinkOptions& options, const Where& where) {
    detail::RequireOption("ToFiles", where, "directory", options.directory);
    engine::Options map = {{"directory", options.directory}, {"suffix", options.suffix}};
    if (options.compression == FileCompression::kGzip) map["compression"] = "gzip";
    if (options.compression == FileCompression::kZstd) map["compression"] = "zstd";
    detail::AddToMap(options.s3, map);
    return map;
  }
};

}  // namespace millrace
