// Real job libraries, loaded as a runner loads them: entry point, note, plan errors, and a crash that names its
// operator.
#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include "millrace/engine.h"

namespace millrace {
namespace {

const std::string kJobs = MILLRACE_TEST_JOBS "/";
const std::string kExamples = MILLRACE_EXAMPLES "/";

// Loaded until the test ends.
class Library {
 public:
  explicit Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) ADD_FAILURE() << dlerror();
  }
  ~Library() {
    if (handle_ != nullptr) dlclose(handle_);
  }
  engine::CreateProgram entry() const {
    return reinterpret_cast<engine::CreateProgram>(dlsym(handle_, engine::kEntryPoint));
  }

 private:
  void* const handle_;
};

// The description of the library's note, read from the file alone; empty if it has none.
std::string NoteOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto section = [&](std::size_t i) {
    Elf64_Shdr one;
    std::memcpy(&one, bytes.data() + header.e_shoff + i * header.e_shentsize, sizeof one);
    return one;
  };
  const Elf64_Shdr names = section(header.e_shstrndx);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr one = section(i);
    if (bytes.c_str() + names.sh_offset + one.sh_name != std::string(engine::kNoteSection)) continue;
    EXPECT_EQ(one.sh_type, static_cast<Elf64_Word>(SHT_NOTE));
    EXPECT_NE(one.sh_flags & SHF_ALLOC, 0u);
    Elf64_Nhdr note;
    std::memcpy(&note, bytes.data() + one.sh_offset, sizeof note);
    EXPECT_EQ(note.n_type, engine::kNoteType);
    EXPECT_EQ(note.n_namesz, 9u);
    EXPECT_STREQ(bytes.c_str() + one.sh_offset + sizeof note, engine::kNoteOwner);
    return bytes.substr(one.sh_offset + sizeof note + 12, note.n_descsz);
  }
  return {};
}

TEST(JobLibraryTest, HasANote) {
  EXPECT_EQ(NoteOf(kExamples + "word_count.so"), "abi=7;sdk=0.1.0;compiler=g++ " __VERSION__ ";job=word_count");
  EXPECT_EQ(NoteOf(kJobs + "not_a_job.so"), "");
}

TEST(JobLibraryTest, ExamplesMakePlans) {
  const std::map<std::string, engine::Options> arguments = {{"files_word_count", {{"in", "/in"}, {"out", "/out"}}},
                                                            {"for_each_batch", {{"directory", "/out"}}}};
  for (const char* name : {"word_count", "kafka_word_count", "socket_word_count", "files_word_count", "union_and_group",
                           "for_each_batch"}) {
    const Library library(kExamples + name + ".so");
    ASSERT_NE(library.entry(), nullptr) << name;
    engine::JobParameters parameters;
    if (const auto given = arguments.find(name); given != arguments.end()) parameters.arguments = given->second;
    const std::unique_ptr<engine::Program> program = library.entry()(parameters);
    EXPECT_EQ(program->description().name, name);
    EXPECT_FALSE(program->description().stages.empty());
  }
}

TEST(JobLibraryTest, NotAJobHasNoEntryPoint) { EXPECT_EQ(Library(kJobs + "not_a_job.so").entry(), nullptr); }

TEST(JobLibraryTest, PlanErrorsComeAcrossTheBoundary) {
  const Library library(kJobs + "no_output.so");
  try {
    (void)library.entry()({});
    FAIL() << "accepted";
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "the job has no output: end a stream with Print, ForEachBatch, ToKafka or ToFiles");
  }
}

struct Nowhere : engine::TaskOutput {
  void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
  void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
  void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
};

// Feeds the first stage of a program with records 0 to 1999.
void RunFirstStage(const engine::Program& program, volatile std::uint32_t* current) {
  Nowhere output;
  engine::TaskContext context;
  context.current_operator = current;
  const std::unique_ptr<engine::Task> task = program.NewTask(context, output);
  std::vector<engine::SourceRecord> records(500);
  for (std::size_t at = 0; at < 2000; at += records.size()) {
    for (std::size_t i = 0; i < records.size(); ++i) records[i].position = static_cast<std::int64_t>(at + i);
    task->Records(records);
  }
  task->Finish();
}

TEST(JobLibraryTest, UserExceptionsComeAcrossTheBoundary) {
  const Library library(kJobs + "throws.so");
  const auto program = library.entry()({});
  volatile std::uint32_t current = 99;
  try {
    RunFirstStage(*program, &current);
    FAIL() << "nothing was thrown";
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "record 1000 cannot be mapped");
  }
  EXPECT_EQ(std::uint32_t{current}, 1u);
  EXPECT_EQ(program->description().operators[1].name, "Map");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(JobLibraryTest, ACrashLeavesTheOperatorsId) {
  // In memory shared with the child that crashes.
  void* const shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* const current = static_cast<volatile std::uint32_t*>(shared);
  *current = 99;
  const Library library(kJobs + "null_deref.so");
  const auto program = library.entry()({});
  EXPECT_EXIT(RunFirstStage(*program, current), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(std::uint32_t{*current}, 1u);
  EXPECT_EQ(program->description().operators[1].location.substr(0, 14), "null_deref.cc:");
  munmap(shared, 4096);
}
#endif

TEST(JobLibraryTest, AnEmptyStreamGivesNothing) {
  const Library library(kJobs + "empty_stream.so");
  const auto program = library.entry()({"", {{"interval", "5ms"}, {"count", "3"}}, 0});
  EXPECT_EQ(program->description().batch_interval_us, 5'000u);
  for (const engine::StageDescription& stage : program->description().stages) EXPECT_FALSE(stage.runs_empty);
}

}  // namespace
}  // namespace millrace
