// MILLRACE_JOB(Name, ctx) { ... }: turns a C++ file into a job library. The block builds the graph from `ctx`, a
// millrace::JobContext&.
//
//   #include <millrace/millrace.h>
//   MILLRACE_JOB(HelloStream, ctx) {
//     ctx.BatchInterval(std::chrono::seconds(1));
//     ctx.GeneratorText({.rate = 10}).Print();
//   }
//
// Once in a library, outside every namespace. Name: letters, digits, '.', '_', '-', at most 64; what submit calls the
// job wins. The library gets the entry point that runners call (engine.h) and an ELF note with the SDK's version, the
// ABI, the compiler and the name, which is read before anything in the library runs. Errors thrown by the block reach
// whoever submits the job.
#pragma once

#include <memory>

#include "millrace/context.h"
#include "millrace/engine.h"
#include "millrace/internal/text.h"

// Text of what engine.h has as constants, for the note.
#define MILLRACE_DETAIL_ABI "7"
#define MILLRACE_DETAIL_SDK "0.1.0"
static_assert(millrace::engine::kAbiVersion == 7 && millrace::engine::kSdkVersion == MILLRACE_DETAIL_SDK &&
                  millrace::engine::kNoteType == 1,
              "job.h and engine.h are of different releases");

#if defined(__clang__)
#define MILLRACE_DETAIL_COMPILER "clang++ " __clang_version__
#else
#define MILLRACE_DETAIL_COMPILER "g++ " __VERSION__
#endif

// Written in assembler because only there a section's type is ours to say. Owner and description are padded to four
// bytes each; the lengths do not count the padding, and the description has no zero at its end.
#define MILLRACE_DETAIL_NOTE(description)         \
  __asm__(                                        \
      ".pushsection .note.millrace,\"a\",@note\n" \
      ".balign 4\n"                               \
      ".long 772f-771f\n"                         \
      ".long 774f-773f\n"                         \
      ".long 1\n"                                 \
      "771: .asciz \"Millrace\"\n"                \
      "772: .balign 4\n"                          \
      "773: .ascii \"" description                \
      "\"\n"                                      \
      "774: .balign 4\n"                          \
      ".popsection\n");

#define MILLRACE_JOB(Name, ctx)                                                                                     \
  static_assert(::millrace::detail::IsJobName(#Name), "a job name has 1 to 64 letters, digits, '.', '_' and '-'");  \
  MILLRACE_DETAIL_NOTE("abi=" MILLRACE_DETAIL_ABI ";sdk=" MILLRACE_DETAIL_SDK ";compiler=" MILLRACE_DETAIL_COMPILER \
                       ";job=" #Name)                                                                               \
  static void MillraceJobBody(::millrace::JobContext&);                                                             \
  extern "C" __attribute__((visibility("default"), used)) ::std::unique_ptr<::millrace::engine::Program>            \
  millrace_create_program_v1(const ::millrace::engine::JobParameters& parameters) {                                 \
    ::millrace::JobContext context(#Name, parameters);                                                              \
    MillraceJobBody(context);                                                                                       \
    return context.Build();                                                                                         \
  }                                                                                                                 \
  static void MillraceJobBody([[maybe_unused]] ::millrace::JobContext& ctx)
