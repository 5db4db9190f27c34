// Reads what a job library says of itself, its ELF note, from the bytes of the file: nothing is loaded, nothing in it
// runs. The bytes come from a client and are trusted in nothing: every offset is checked against the size of the image.
//
//   MR_ASSIGN_OR_RETURN(JobNote note, ReadJobNote(image));
//   MR_RETURN_IF_ERROR(CheckCompatible(note));
//
// Plain functions, thread-safe. Every error is InvalidArgument (FailedPrecondition from CheckCompatible), begins with
// "the file" or "the job library", and says what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

struct JobNote {
  std::uint32_t abi = 0;
  std::string sdk;       // "0.1.0"
  std::string compiler;  // "GCC 12.2.0"; for people
  std::string job;       // the library's own name for the job
};

absl::StatusOr<JobNote> ReadJobNote(std::string_view image);

// Whether this cluster's runners can run it: the ABI must be the same, the SDK's version need not.
absl::Status CheckCompatible(const JobNote& note);

}  // namespace millrace
