// The output operators of DStream<T>: Print, ForEachBatch, ToKafka, ToFiles. A stream that reaches none of them is not
// computed.
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

#include "millrace/internal/sink_operators.h"
#include "millrace/internal/std_types.h"
#include "millrace/internal/stream_base.h"
#include "millrace/owned.h"
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
                       rows.BeginRow();
                       if (row.key) {
                         rows.text() += *row.key;
                         rows.EndKey();
                       }
                       rows.text() += row.value;
                       rows.EndRow();
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
                   [](const T& record, detail::RowWriter& rows) {
                     rows.BeginRow();
                     if constexpr (detail::kIsPair<T>) {
                       AppendText(rows.text(), record.first);
                       rows.EndKey();
                       AppendText(rows.text(), record.second);
                     } else {
                       AppendText(rows.text(), record);
                     }
                     rows.EndRow();
                   });
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
    for (const auto& [name, value] : options.rdkafka) given["rdkafka." + name] = value;
    return given;
  }
  static engine::Options FileRowOptions(const FilesSinkOptions& options, const Where& where) {
    detail::RequireOption("ToFiles", where, "directory", options.directory);
    return {{"directory", options.directory}, {"suffix", options.suffix}};
  }
};

}  // namespace millrace
