#include "executor/connectors/custom/custom_receiver.h"

#include "executor/connectors/custom/guard.h"
#include "executor/connectors/custom/job_receiver.h"
#include "executor/connectors/received/receiver_source.h"

namespace millrace {
namespace {

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeCustomReceiverSource(const engine::OperatorDescription& description,
                                                                 const SourceEnvironment& environment) {
  const std::string where = custom::WhereOf("source", description);
  const auto names = description.options.find("receivers");
  if (environment.program == nullptr || names == description.options.end())
    return InvalidArgument(where, ": the job library has no such receiver; add it with ctx.FromReceiver");
  ReceiverSourceSettings settings;
  settings.splits = SplitAtCommas(names->second);
  settings.make = [where, program = environment.program,
                   op = description.id](const std::string& name) -> absl::StatusOr<std::unique_ptr<Receiver>> {
    const std::string whose = Concat(where, ", receiver '", name, "'");
    std::shared_ptr<engine::Receiver> receiver;
    MR_RETURN_IF_ERROR(custom::Guarded(whose, "making it", [&] { receiver = program->NewReceiver(op, name); }));
    if (!receiver) return InvalidArgument(whose, ": the function given to FromReceiver made none");
    return std::make_unique<JobReceiver>(whose, std::move(receiver));
  };
  return MakeReceiverSource(description, environment, std::move(settings));
}

}  // namespace millrace
