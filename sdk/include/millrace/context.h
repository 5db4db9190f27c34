// JobContext: what a job body gets. It holds the job's settings and arguments, and is where streams begin.
//
//   MILLRACE_JOB(WordCount, ctx) {
//     ctx.BatchInterval(std::chrono::milliseconds(100));
//     auto lines = ctx.KafkaText({.brokers = ctx.Arg("brokers"), .topics = {ctx.Arg("topics", "lines")}});
//     ...
//   }
//
// The body runs once in the planner and once in every runner, with the same arguments, and must build the same graph
// each time: it must not look at the clock, the host or random numbers. Valid while the body runs, on its thread.
// Streams may outlive it; they then refuse to grow. Errors: std::invalid_argument with what is wrong and what to do.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/custom_receiver.h"
#include "millrace/custom_source.h"
#include "millrace/dstream.h"
#include "millrace/engine.h"
#include "millrace/flume.h"
#include "millrace/internal/arguments.h"
#include "millrace/internal/custom_nodes.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/planner.h"
#include "millrace/internal/source_operators.h"
#include "millrace/kafka_record.h"
#include "millrace/message.h"
#include "millrace/rabbitmq.h"
#include "millrace/socket.h"
#include "millrace/sources.h"

namespace millrace {

class JobContext {
  using Where = std::source_location;

 public:
  // Made by MILLRACE_JOB, and by tests.
  JobContext(std::string_view library_name, const engine::JobParameters& parameters)
      : graph_(std::make_shared<detail::Graph>()),
        arguments_(parameters.arguments),
        name_(parameters.name.empty() ? std::string(library_name) : parameters.name),
        submitted_interval_us_(parameters.batch_interval_us) {}
  JobContext(const JobContext&) = delete;
  JobContext& operator=(const JobContext&) = delete;

  const std::string& name() const { return name_; }

  // How much time a batch covers, 1 ms to 1 h. Must be set; an interval given at submit wins.
  JobContext& BatchInterval(std::chrono::microseconds interval) {
    detail::CheckBatchInterval(interval.count());
    interval_us_ = interval.count();
    return *this;
  }

  // How many tasks reduce where an operator does not say, 1 to 65536; 4 unless set. Applies to operators added
  // afterwards.
  JobContext& DefaultPartitions(std::int64_t partitions) {
    if (partitions < 1 || partitions > detail::kMaxPartitions) {
      throw std::invalid_argument(detail::Cat("DefaultPartitions: ", partitions,
                                              " partitions are not possible; pass 1 to ", detail::kMaxPartitions));
    }
    graph_->set_default_partitions(static_cast<std::uint32_t>(partitions));
    return *this;
  }

  // How often the state of the job's operators is checkpointed; rounded up to whole batches. 10 s unless set. A lost
  // partition is restored from its last checkpoint, and the batches since are computed again.
  JobContext& CheckpointInterval(std::chrono::microseconds interval) {
    if (interval.count() < 1) throw std::invalid_argument("CheckpointInterval: pass at least one batch interval");
    graph_->set_checkpoint_us(interval.count());
    return *this;
  }

  // For how long after a batch its rows of Print can be asked for, with `millrace rows`: at most 16 MiB of them, the
  // oldest go first. Without, the last MiB is kept. What operators look back on (windows, Slice, state) they keep
  // themselves for as long as they need it, whatever is said here.
  JobContext& Remember(std::chrono::microseconds duration) {
    if (duration.count() < 1) throw std::invalid_argument("Remember: pass a time longer than 0");
    graph_->set_remember_us(duration.count());
    return *this;
  }

  // Where state lives: in memory (the default), or in RocksDB, for state larger than the memory budget.
  JobContext& State(engine::StateBackend backend) {
    graph_->set_backend(backend);
    return *this;
  }

  // In how many groups the keys of stateful operators are divided, 1 to 32768; 128 unless set. A group is what can
  // move, so an operator cannot have more partitions. Fixed for the life of the job's state.
  JobContext& KeyGroups(std::int64_t groups) {
    if (groups < 1 || groups > 32'768) {
      throw std::invalid_argument(detail::Cat("KeyGroups: ", groups, " groups are not possible; pass 1 to 32768"));
    }
    graph_->set_key_groups(static_cast<std::uint32_t>(groups));
    return *this;
  }

  // An argument given at submit (`--arg topic=clicks`); without a default it must be given. Read as the type of the
  // default: a text, a number, a bool, a time ("250ms", "5s"). An argument that the body never asks for is refused: it
  // is most often misspelt.
  std::string Arg(std::string_view name) {
    if (const std::string* value = arguments_.Find(name)) return *value;
    throw std::invalid_argument(detail::Cat("argument ", name, " must be given, as ", name, "=value"));
  }
  std::string Arg(std::string_view name, std::string_view fallback) {
    const std::string* value = arguments_.Find(name);
    return value != nullptr ? *value : std::string(fallback);
  }
  template <class T>
  requires std::is_arithmetic_v<T> T Arg(std::string_view name, T fallback) {
    const std::string* value = arguments_.Find(name);
    return value != nullptr ? detail::Arguments::ParseNumber<T>(name, *value) : fallback;
  }
  template <class Rep, class Period>
  std::chrono::microseconds Arg(std::string_view name, std::chrono::duration<Rep, Period> fallback) {
    const std::string* value = arguments_.Find(name);
    return value != nullptr ? detail::Arguments::ParseDuration(name, *value)
                            : std::chrono::duration_cast<std::chrono::microseconds>(fallback);
  }

  // Records of Kafka topics with all that belongs to them. Replayable; one split a Kafka partition.
  DStream<KafkaRecord> Kafka(const KafkaOptions& options, Where where = Where::current()) {
    detail::Node node = KafkaNode<KafkaRecord>("Kafka", options, where);
    node.make = detail::MakeFactory<detail::KafkaRoot>();
    return Add<KafkaRecord>(std::move(node));
  }

  // The values of Kafka records alone.
  DStream<std::string_view> KafkaText(const KafkaOptions& options, Where where = Where::current()) {
    detail::Node node = KafkaNode<std::string_view>("KafkaText", options, where);
    node.description.options["headers"] = "false";  // nobody would see them
    node.make = detail::MakeFactory<detail::ValuesRoot>();
    return Add<std::string_view>(std::move(node));
  }

  // f(index, seed) for the indices 0, 1, 2 …; the same index and seed must always give the same record. Replayable.
  template <class T = void, class F>
  auto Generator(const GeneratorOptions& options, F f, Where where = Where::current()) {
    static_assert(std::is_invocable_v<const F&, std::uint64_t, std::uint64_t>,
                  "Generator needs a function callable, as const, as f(std::uint64_t index, std::uint64_t seed)");
    using Result = std::remove_cvref_t<std::invoke_result_t<const F&, std::uint64_t, std::uint64_t>>;
    using Record = std::conditional_t<std::is_void_v<T>, Result, T>;
    static_assert(std::constructible_from<Record, Result>, "the function of Generator<T> gives no T");
    detail::Node node = GeneratorNode<Record>("Generator", options, where);
    node.make = [f = std::make_shared<const F>(std::move(f)), seed = options.seed](const detail::OperatorSetup& setup) {
      return std::make_unique<detail::GeneratorRoot<Record, F>>(setup, *f, seed);
    };
    return Add<Record>(std::move(node));
  }

  // RandomLine(index, seed, words, vocabulary) for the indices 0, 1, 2 …; see <millrace/random_text.h>. Replayable.
  DStream<std::string_view> GeneratorText(const GeneratorOptions& options, Where where = Where::current()) {
    detail::Node node = GeneratorNode<std::string_view>("GeneratorText", options, where);
    node.make = detail::MakeFactory<detail::RandomTextRoot>(options.seed, options.words, options.vocabulary);
    return Add<std::string_view>(std::move(node));
  }

  // Events that Flume agents send. Replayable: they are on stable storage before an agent is answered.
  DStream<Message> Flume(const FlumeOptions& options, Where where = Where::current()) {
    detail::Node node = FlumeNode<Message>("Flume", options, where);
    node.make = detail::MakeFactory<detail::MessagesRoot>();
    return Add<Message>(std::move(node));
  }

  // The bodies of Flume's events alone.
  DStream<std::string_view> FlumeText(const FlumeOptions& options, Where where = Where::current()) {
    detail::Node node = FlumeNode<std::string_view>("FlumeText", options, where);
    node.make = detail::MakeFactory<detail::ValuesRoot>();
    return Add<std::string_view>(std::move(node));
  }

  // Records from TCP servers, lines unless framing says otherwise. Replayable only with the option reliable.
  DStream<std::string_view> SocketText(const SocketOptions& options, Where where = Where::current()) {
    const auto refuse = [&](std::string_view what) { detail::Refuse("SocketText", detail::LocationOf(where), what); };
    if (options.hosts.empty()) {
      detail::RequireOption("SocketText", where, "host", options.host);
      if (options.port == 0) refuse("option port is 0; it must be given");
    } else if (!options.host.empty() || options.port != 0) {
      refuse("options host and hosts are both given; name all servers in hosts, as host:port");
    }
    detail::Node node = SourceNode<std::string_view>("SocketText", "socket", detail::ToMap(options), where);
    node.description.replayable = options.reliable;
    node.description.receiver = true;
    node.make = detail::MakeFactory<detail::ValuesRoot>();
    return Add<std::string_view>(std::move(node));
  }

  // Messages of RabbitMQ queues. Replayable: they are on stable storage before they are acknowledged.
  DStream<Message> RabbitMq(const RabbitMqOptions& options, Where where = Where::current()) {
    detail::Node node = RabbitMqNode<Message>("RabbitMq", options, where);
    node.make = detail::MakeFactory<detail::MessagesRoot>();
    return Add<Message>(std::move(node));
  }

  // The bodies of RabbitMQ's messages alone.
  DStream<std::string_view> RabbitMqText(const RabbitMqOptions& options, Where where = Where::current()) {
    detail::Node node = RabbitMqNode<std::string_view>("RabbitMqText", options, where);
    node.make = detail::MakeFactory<detail::ValuesRoot>();
    return Add<std::string_view>(std::move(node));
  }

  // Lines of files. Replayable as long as the files stay as they are.
  DStream<std::string_view> TextFiles(const TextFilesOptions& options, Where where = Where::current()) {
    detail::RequireOption("TextFiles", where, "directory", options.directory);
    detail::Node node = SourceNode<std::string_view>("TextFiles", "files", detail::ToMap(options), where);
    node.description.bounded = options.bounded;
    node.make = detail::MakeFactory<detail::ValuesRoot>();
    return Add<std::string_view>(std::move(node));
  }

  // The records of a source in the job's own code, a CustomSource<T>. Replayable.
  template <class S>
  auto FromSource(std::shared_ptr<S> source, const CustomSourceOptions& options = {}, Where where = Where::current()) {
    static_assert(std::is_base_of_v<CustomSource<typename S::Record>, S>,
                  "FromSource needs a shared_ptr to a class derived from millrace::CustomSource<T>");
    using T = typename S::Record;
    return Add<T>(detail::CustomSourceNode<T>(std::move(source), detail::TypeName<S>(), options, where));
  }

  // The records of receivers in the job's own code: make(name) gives a unique_ptr to a CustomReceiver<T>, once for each
  // name whenever a runner begins to receive for it. Replayable: what they store is on stable storage.
  template <class F>
  auto FromReceiver(const CustomReceiverOptions& options, F make, Where where = Where::current()) {
    static_assert(std::is_invocable_v<const F&, const std::string&>,
                  "FromReceiver needs a function callable, as const, as make(const std::string& name)");
    using R = typename std::invoke_result_t<const F&, const std::string&>::element_type;
    using T = typename R::Record;
    static_assert(std::is_base_of_v<CustomReceiver<T>, R>,
                  "FromReceiver needs a function that gives a std::unique_ptr to a millrace::CustomReceiver<T>");
    return Add<T>(detail::CustomReceiverNode<T>(std::move(make), detail::TypeName<R>(), options, where));
  }

  // All records of these streams.
  template <class T>
  DStream<T> Union(std::initializer_list<DStream<T>> streams, Where where = Where::current()) {
    return Union(std::vector<DStream<T>>(streams), where);
  }
  template <class T>
  DStream<T> Union(const std::vector<DStream<T>>& streams, Where where = Where::current()) {
    if (streams.empty()) detail::Refuse("Union", detail::LocationOf(where), "it has no stream; pass at least one");
    return DStream<T>(graph_, 0).UnionOf(streams, where);
  }

  // Ends the building and checks the whole. Called once, by MILLRACE_JOB and by tests, after the body.
  std::unique_ptr<engine::Program> Build() {
    arguments_.CheckAllUsed();
    const auto interval =
        submitted_interval_us_ != 0 ? static_cast<std::int64_t>(submitted_interval_us_) : interval_us_;
    return detail::MakeProgram(graph_, name_, interval);
  }

 private:
  template <class T>
  static detail::Node SourceNode(std::string_view name, std::string_view connector, engine::Options options,
                                 const Where& where) {
    detail::Node node = detail::NewNode<T>(engine::OperatorKind::kSource, name, {}, where);
    node.description.connector = connector;
    node.description.options = std::move(options);
    return node;
  }
  template <class T>
  static detail::Node KafkaNode(std::string_view name, const KafkaOptions& options, const Where& where) {
    engine::Options map = detail::ToMap(options);
    detail::RequireOption(name, where, "brokers", map["brokers"]);
    if (options.topic_pattern.empty()) detail::RequireOption(name, where, "topics", map["topics"]);
    detail::Node node = SourceNode<T>(name, "kafka", std::move(map), where);
    node.description.bounded = !options.end.text().empty();
    return node;
  }
  template <class T>
  static detail::Node FlumeNode(std::string_view name, const FlumeOptions& options, const Where& where) {
    if (options.port == 0) detail::Refuse(name, detail::LocationOf(where), "option port is 0; it must be given");
    detail::Node node = SourceNode<T>(name, "flume", detail::ToMap(options), where);
    node.description.receiver = true;
    return node;
  }
  template <class T>
  static detail::Node RabbitMqNode(std::string_view name, const RabbitMqOptions& options, const Where& where) {
    engine::Options map = detail::ToMap(options);
    detail::RequireOption(name, where, "hosts", map["hosts"]);
    detail::RequireOption(name, where, "queues", map["queues"]);
    detail::Node node = SourceNode<T>(name, "rabbitmq", std::move(map), where);
    node.description.receiver = true;
    return node;
  }
  template <class T>
  static detail::Node GeneratorNode(std::string_view name, const GeneratorOptions& options, const Where& where) {
    detail::Node node = SourceNode<T>(name, "generator", detail::ToMap(options), where);
    node.description.bounded = options.count > 0;
    return node;
  }
  template <class T>
  DStream<T> Add(detail::Node node) {
    return DStream<T>(graph_, graph_->Add(std::move(node)));
  }

  const std::shared_ptr<detail::Graph> graph_;
  detail::Arguments arguments_;
  const std::string name_;
  const std::uint64_t submitted_interval_us_;
  std::int64_t interval_us_ = 0;
};

}  // namespace millrace
