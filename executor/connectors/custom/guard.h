// Calls into the connectors of a job's own code: what they throw becomes a status that names the operator and the call.
//
//   MR_RETURN_IF_ERROR(Guarded(where_, "Commit", [&] { writer_->Commit(batch); }));
//
// Errors: InvalidArgument, which is permanent, for std::logic_error; Unavailable, which is tried again, for all else.
// Stateless.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace::custom {

// "source 'readings' (custom) at job.cc:12".
inline std::string WhereOf(std::string_view side, const engine::OperatorDescription& description) {
  return Concat(OperatorName(side, description), description.location.empty() ? "" : " at ", description.location);
}

template <class F>
absl::Status Guarded(std::string_view where, std::string_view call, F&& f) {
  try {
    std::forward<F>(f)();
    return absl::OkStatus();
  } catch (const std::logic_error& e) {
    return InvalidArgument(where, ": ", call, " threw: ", std::string_view(e.what()));
  } catch (const std::exception& e) {
    return Unavailable(where, ": ", call, " threw: ", std::string_view(e.what()), "; trying again");
  } catch (...) {
    return Unavailable(where, ": ", call, " threw something that is no std::exception; trying again");
  }
}

}  // namespace millrace::custom
