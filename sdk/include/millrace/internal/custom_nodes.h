// The nodes of sources and receivers in the job's own code: what FromSource and FromReceiver of JobContext add.
// Errors: std::invalid_argument with operator, place, reason and remedy.
#pragma once

#include <memory>
#include <set>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/custom_receiver.h"
#include "millrace/custom_source.h"
#include "millrace/internal/graph.h"
#include "millrace/internal/source_operators.h"

namespace millrace::detail {

template <class T>
class CustomRoot : public Producer<T> {
 public:
  using Producer<T>::Producer;
  void Records(std::span<const engine::SourceRecord> records) override {
    this->Enter();
    for (const engine::SourceRecord& record : records) this->out_.Add(FromValueBytes<T>(record.value));
    this->out_.Flush();
  }
};

inline void CheckCustomSource(const CustomSourceOptions& options, const std::source_location& where) {
  const auto refuse = [&](std::string_view what) { Refuse("FromSource", LocationOf(where), what); };
  if (options.poll_interval.count() < 1) refuse("option poll_interval is below 1 ms; pass 1 ms or more");
  if (options.discovery_interval.count() < 10) refuse("option discovery_interval is below 10 ms; pass 10 ms or more");
  if (options.max_records_per_batch < 1) refuse("option max_records_per_batch is 0; pass 1 or more");
  if (options.prefetch_bytes < (64U << 10)) refuse("option prefetch_bytes is below 64 KiB; pass 65536 or more");
}

template <class T>
Node CustomSourceNode(std::shared_ptr<CustomSource<T>> source, std::string type, const CustomSourceOptions& options,
                      const std::source_location& where) {
  if (!source) Refuse("FromSource", LocationOf(where), "the source is null; pass std::make_shared<…>(…)");
  CheckCustomSource(options, where);
  Node node = NewNode<T>(engine::OperatorKind::kSource, "FromSource", {}, where);
  node.description.connector = "custom";
  node.description.bounded = options.bounded;
  node.description.options = {{"class", std::move(type)},
                              {"discovery_ms", std::to_string(options.discovery_interval.count())},
                              {"poll_ms", std::to_string(options.poll_interval.count())},
                              {"max_records_per_batch", std::to_string(options.max_records_per_batch)},
                              {"prefetch_bytes", std::to_string(options.prefetch_bytes)}};
  node.source = std::move(source);
  node.make = MakeFactory<CustomRoot<T>>();
  return node;
}

// Names joined by commas; refused when there are none, or one twice, empty or with a comma.
inline std::string ReceiverNames(const CustomReceiverOptions& options, const std::source_location& where) {
  const auto refuse = [&](std::string_view what) { Refuse("FromReceiver", LocationOf(where), what); };
  if (options.names.empty()) refuse("option names is empty; pass one name for each receiver");
  std::set<std::string_view> seen;
  std::string all;
  for (const std::string& name : options.names) {
    if (name.empty() || name.find(',') != std::string::npos) {
      refuse(Cat("the receiver name '", name, "' is empty or has a comma; use another"));
    }
    if (!seen.insert(name).second) refuse(Cat("the receiver name '", name, "' is there twice; names must differ"));
    all += Cat(all.empty() ? "" : ",", name);
  }
  for (const auto& [name, node] : options.preferred_nodes) {
    if (!seen.contains(name)) refuse(Cat("preferred_nodes names '", name, "', which is no receiver's name"));
  }
  return all;
}

template <class T, class F>
Node CustomReceiverNode(F make, std::string type, const CustomReceiverOptions& options,
                        const std::source_location& where) {
  Node node = NewNode<T>(engine::OperatorKind::kSource, "FromReceiver", {}, where);
  node.description.connector = "custom_receiver";
  node.description.receiver = true;
  node.description.options = {{"class", std::move(type)}, {"receivers", ReceiverNames(options, where)}};
  for (const auto& [name, executor] : options.preferred_nodes) node.description.options["node." + name] = executor;
  node.make_receiver = [make = std::move(make)](const std::string& name) -> std::shared_ptr<engine::Receiver> {
    return std::as_const(make)(name);
  };
  node.make = MakeFactory<CustomRoot<T>>();
  return node;
}

}  // namespace millrace::detail
