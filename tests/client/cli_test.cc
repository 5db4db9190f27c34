// The program `millrace` as its users meet it: exit codes, tables, JSON, errors, Ctrl-C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "common/net/grpc_status.h"
#include "tests/client/control_server.h"
#include "tests/client/run_program.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cli_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    dir_ = pattern;
    WriteText(dir_ + "/ca.crt", ca_.ca_pem());
    WritePem(dir_, "client", ca_.Leaf({.uris = {"spiffe://dev/client/ann"}}));
    WriteText(dir_ + "/job.so", "not really a library");
    server_.jobs["j-1a2b3c4d"] = MakeJob("j-1a2b3c4d", "words", v1::JOB_STATE_RUNNING);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  ProgramResult Run(std::vector<std::string> words, const std::function<int(const std::string&)>& on_output = nullptr) {
    words.insert(words.begin(), MILLRACE_PROGRAM);
    return RunProgram(words,
                      {"MILLRACE_DRIVER=" + server_.target(), "MILLRACE_TLS_DIR=" + dir_, "HOME=" + dir_, "TZ=UTC"},
                      on_output);
  }
  ProgramResult RunIn(const std::vector<std::string>& environment, std::vector<std::string> words) {
    words.insert(words.begin(), MILLRACE_PROGRAM);
    return RunProgram(words, environment);
  }
  // Takes the upload and starts a job.
  void AcceptSubmissions() {
    server_.submit = [this](const v1::SubmitHeader& header, const std::string&, ControlServer::SubmitStream& stream) {
      submitted_ = header;
      v1::SubmitProgress progress;
      progress.set_step("planned");
      stream.Write(progress);
      progress.set_step("starting");
      *progress.mutable_job() = MakeJob("j-1a2b3c4d", "words", v1::JOB_STATE_STARTING);
      stream.Write(progress);
      return grpc::Status::OK;
    };
  }
  v1::JobStatus Ended(v1::JobState state, const std::string& error = "") {
    v1::JobStatus job = MakeJob("j-1a2b3c4d", "words", state);
    job.set_error(error);
    return job;
  }

  const TestCa ca_{"dev"};
  ControlServer server_{ca_};
  v1::SubmitHeader submitted_;
  std::string dir_;
};

TEST_F(CliTest, UsageErrorsAreTwo) {
  EXPECT_EQ(Run({}).code, 2);
  const ProgramResult typo = Run({"sbmit", "x.so"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_EQ(typo.err, "millrace: usage: there is no command 'sbmit', did you mean 'submit'?\n  try: millrace --help\n");
  EXPECT_EQ(Run({"--driver", "a:1", "lst"}).code, 2);
  EXPECT_EQ(Run({"list", "-o", "yaml"}).code, 2);
  EXPECT_EQ(Run({"status"}).code, 2);
  EXPECT_EQ(Run({"logs", "x", "-n", "0"}).code, 2);
  EXPECT_THAT(Run({"submit", dir_ + "/job.so", "--arg", "novalue"}).err,
              StartsWith("millrace: submit: --arg novalue: write --arg key=value\n"));
  EXPECT_EQ(Run({"submit", dir_ + "/job.so", "--batch-interval", "100"}).code, 2);
  EXPECT_EQ(Run({"submit", dir_ + "/job.so", "--batch-interval", "1us"}).code, 2);
}

TEST_F(CliTest, HelpAndVersionAreOk) {
  const ProgramResult help = Run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("submit"), HasSubstr("Exit codes: 0 ok, 1 failure, 2 wrong usage")));
  EXPECT_EQ(Run({"submit", "--help"}).code, 0);
  EXPECT_THAT(Run({"--version"}).out, StartsWith("millrace "));
  EXPECT_THAT(Run({"version", "-o", "json"}).out, StartsWith("{\"version\":\""));
  EXPECT_THAT(Run({"--help-config"}).out, HasSubstr("tls.dir"));
}

TEST_F(CliTest, ConfigurationErrorsAreThree) {
  const ProgramResult none = RunIn({}, {"list"});
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.err, StartsWith("millrace: list: no --ca is given: use --tls-dir DIR"));
  EXPECT_EQ(Run({"list", "--config", dir_ + "/nowhere.yaml"}).code, 3);
  EXPECT_EQ(Run({"list", "--driver", "nonsense"}).code, 3);
  EXPECT_EQ(Run({"list", "--timeout", "5"}).code, 3);
  const ProgramResult missing = Run({"list", "--tls-dir", dir_ + "/nowhere"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("nowhere/ca.crt"));
  WriteText(dir_ + "/bad.yaml", "drver: a:1\n");
  EXPECT_THAT(Run({"list", "--config", dir_ + "/bad.yaml"}).err,
              HasSubstr("bad.yaml:1:1: unknown key 'drver', did you mean 'driver'?"));
}

TEST_F(CliTest, SettingsBeatEachOther) {
  std::filesystem::create_directories(dir_ + "/.config/millrace");
  std::filesystem::create_directories(dir_ + "/.config/millrace/pki");
  for (const char* name : {"ca.crt", "client.crt", "client.key"}) {
    std::filesystem::copy(dir_ + "/" + name, dir_ + "/.config/millrace/pki/" + name);
  }
  WriteText(dir_ + "/.config/millrace/client.yaml", Concat("driver: ", server_.target(), "\ntls: {dir: pki}\n"));
  EXPECT_EQ(RunIn({"HOME=" + dir_}, {"list"}).code, 0);
  EXPECT_EQ(RunIn({"HOME=" + dir_, "MILLRACE_DRIVER=127.0.0.1:1"}, {"list"}).code, 7);
  EXPECT_EQ(RunIn({"HOME=" + dir_, "MILLRACE_DRIVER=127.0.0.1:1"}, {"list", "--driver", server_.target()}).code, 0);
  EXPECT_EQ(RunIn({"HOME=" + dir_, "MILLRACE_TLS_DIR=/nowhere"}, {"list"}).code, 3);
  EXPECT_EQ(RunIn({"MILLRACE_TLS_DIR=/nowhere"}, {"list", "--ca", dir_ + "/ca.crt", "--cert", dir_ + "/client.crt",
                                                  "--key", dir_ + "/client.key", "--driver", server_.target()})
                .code,
            0);
}

TEST_F(CliTest, CertificatesOfOthersAreFour) {
  WritePem(dir_, "client", ca_.Leaf({.uris = {"spiffe://dev/executor/e1"}}));
  const ProgramResult role = Run({"list"});
  EXPECT_EQ(role.code, 4);
  EXPECT_THAT(role.err, AllOf(HasSubstr("role executor, but a client needs one of role client"),
                              HasSubstr("\n  try: --tls-dir DIR")));
  const TestCa other("dev");
  WriteText(dir_ + "/ca.crt", other.ca_pem());
  WritePem(dir_, "client", other.Leaf({.uris = {"spiffe://dev/client/ann"}}));
  const ProgramResult ca = Run({"list"});
  EXPECT_EQ(ca.code, 4);
  EXPECT_THAT(ca.err, HasSubstr("our CA does not vouch for its certificate"));
}

TEST_F(CliTest, UnreachableIsSeven) {
  const ProgramResult result = Run({"list", "--driver", "127.0.0.1:1"});
  EXPECT_EQ(result.code, 7);
  EXPECT_THAT(result.err, StartsWith("millrace: list: 127.0.0.1:1: nothing listens there (connection refused)"));
  EXPECT_EQ(result.out, "");
}

TEST_F(CliTest, ListsJobs) {
  v1::JobStatus& job = server_.jobs["j-1a2b3c4d"];
  job.set_notice("waiting for an executor\nsecond line");
  server_.jobs["j-2"] = MakeJob("j-2", "old", v1::JOB_STATE_FAILED);
  const ProgramResult table = Run({"list"});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out,
              MatchesRegex("ID          NAME   STATE     EVERY  BATCHES  PENDING  DELAY    RECORDS  SUBMITTED  NOTE\n"
                           "j-1a2b3c4d  words  running  100 ms    1,234        0      -  9,876,543  [0-9]+d ago "
                           "+waiting for an executor…\n"));
  const auto json = nlohmann::json::parse(Run({"list", "--all", "-o", "json"}).out);
  EXPECT_EQ(json["jobs"].size(), 2u);
  EXPECT_EQ(json["jobs"][0]["batches_committed"], "1234");
  server_.jobs.clear();
  const ProgramResult empty = Run({"list"});
  EXPECT_EQ(empty.code, 0);
  EXPECT_THAT(empty.out, StartsWith("ID  NAME"));
  EXPECT_EQ(empty.err, "no live jobs (--all shows ended ones, too)\n");
}

TEST_F(CliTest, ListsExecutors) {
  v1::ExecutorInfo& one = *server_.executors.add_executors();
  one.set_id("executor-1");
  one.set_address("10.0.0.1");
  one.set_slots(4);
  one.set_memory_bytes(512 << 20);
  one.set_connected(true);
  one.set_heartbeat_age_us(12'000);
  server_.executors.set_cluster("dev");
  const ProgramResult result = Run({"executors"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out,
              HasSubstr("executor-1  10.0.0.1  connected      4  512.0 MiB        0  -      12 ms ago  -\n"));
  EXPECT_THAT(result.err, HasSubstr("cluster dev"));
  EXPECT_EQ(nlohmann::json::parse(Run({"executors", "-o", "json"}).out)["executors"][0]["slots"], 4);
}

TEST_F(CliTest, ShowsAJobsStatus) {
  v1::JobStatus& job = server_.jobs["j-1a2b3c4d"];
  job.set_error("task 3: boom\nat line 7 \x1b[31m");
  job.set_notice("journal: No space left on device");
  v1::BatchInfo& batch = *job.add_batches();
  batch.set_batch(12);
  batch.set_batch_time_us(1'700'000'000'123'000);
  batch.set_records(1500);
  batch.set_scheduling_delay_us(850);
  batch.set_processing_us(12'000);
  batch.set_total_delay_us(12'850);
  batch.set_committed(true);
  v1::SourceInfo& source = *job.add_sources();
  source.set_description("kafka topic lines at 127.0.0.1:9092");
  source.set_splits(3);
  source.set_problem("broker is down");
  source.set_lost_records(17);
  const ProgramResult result = Run({"status", "words"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("job        words (j-1a2b3c4d)\nstate      running, submitted "));
  EXPECT_THAT(result.out, HasSubstr("error      task 3: boom\n           at line 7 ?[31m\n"));
  EXPECT_THAT(result.out, HasSubstr("notice     journal: No space left on device\n"));
  EXPECT_THAT(result.out, HasSubstr("source     kafka topic lines at 127.0.0.1:9092: 3 splits, 0 records\n"
                                    "           lost: 17 records\n           problem: broker is down\n"));
  EXPECT_THAT(
      result.out,
      HasSubstr("BATCH  TIME                     RECORDS  SCHEDULING DELAY  PROCESSING  TOTAL DELAY  RETRIES\n"
                "   12  2023-11-14 22:13:20.123    1,500            850 us       12 ms        13 ms        0\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(nlohmann::json::parse(Run({"status", "words", "-o", "json"}).out)["id"], "j-1a2b3c4d");
}

TEST_F(CliTest, WatchEndsWithTheJob) {
  std::atomic<int> calls = 0;
  server_.get_job = [&](const v1::GetJobRequest&, v1::JobStatus& reply) {
    reply = MakeJob("j-1a2b3c4d", "words", ++calls < 2 ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_FINISHED);
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"status", "words", "--watch", "-o", "json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 2);
  calls = -1'000'000;
  EXPECT_EQ(Run({"status", "words", "--watch"}, [](const std::string&) { return SIGINT; }).code, 130);
}

TEST_F(CliTest, UnknownJobIsFive) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"status", "nope"}, {"stop", "nope"}, {"logs", "nope"}, {"follow", "nope"}}) {
    const ProgramResult result = Run(words);
    EXPECT_EQ(result.code, 5) << words[0];
    EXPECT_EQ(result.err,
              Concat("millrace: ", words[0], " nope: there is no job 'nope'\n  try: millrace list --all\n"));
  }
  EXPECT_EQ(Run({"submit", dir_ + "/nowhere.so"}).code, 5);
}

TEST_F(CliTest, StopsAJob) {
  const ProgramResult result = Run({"stop", "words"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "job words (j-1a2b3c4d) is stopping; batches that are cut are finished first\n");
  EXPECT_EQ(nlohmann::json::parse(Run({"stop", "words", "--now", "-o", "json"}).out)["state"], "JOB_STATE_STOPPED");
  server_.jobs["j-2"] = MakeJob("j-2", "old", v1::JOB_STATE_FINISHED);
  EXPECT_EQ(Run({"stop", "old"}).code, 6);
}

TEST_F(CliTest, ADrainStaysAndShowsHowFarItIs) {
  int calls = 0;
  server_.get_job = [&](const v1::GetJobRequest&, v1::JobStatus& job) {
    job = MakeJob("j-1a2b3c4d", "words", ++calls < 3 ? v1::JOB_STATE_STOPPING : v1::JOB_STATE_STOPPED);
    if (calls < 3) job.set_notice("stopping: 2 batches are not committed yet");
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"stop", "words", "--drain", "--deadline", "20s"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("words  1,234 batches committed; stopping: 2 batches are not committed yet\n"),
                    HasSubstr("job words (j-1a2b3c4d) is stopped after 1,234 batches")));
  EXPECT_TRUE(server_.stop_requests.back().drain());
  EXPECT_EQ(server_.stop_requests.back().wait_us(), 20'000'000u);

  server_.get_job = [&](const v1::GetJobRequest&, v1::JobStatus& job) {
    job = MakeJob("j-1a2b3c4d", "words", v1::JOB_STATE_STOPPED);
    job.set_notice("stopped before batches 7 to 9 were committed");
    return grpc::Status::OK;
  };
  const ProgramResult late = Run({"stop", "words", "--drain"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, HasSubstr("stopped before batches 7 to 9 were committed"));

  // A driver that was started again has to be asked again.
  calls = 0;
  server_.stop_requests.clear();
  server_.get_job = [&](const v1::GetJobRequest&, v1::JobStatus& job) {
    job = MakeJob("j-1a2b3c4d", "words", ++calls == 1 ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_STOPPED);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"stop", "words", "--drain"}).code, 0);
  EXPECT_EQ(server_.stop_requests.size(), 2u);
  EXPECT_EQ(Run({"stop", "words", "--drain", "--now"}).code, 2);
  EXPECT_EQ(Run({"stop", "words", "--deadline", "5s"}).code, 2);
  EXPECT_EQ(Run({"stop", "words", "--drain", "--deadline", "soon"}).code, 2);
}

TEST_F(CliTest, ASavepointPrintsItsBatch) {
  const ProgramResult result = Run({"savepoint", "words"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "1234\n");
  EXPECT_EQ(nlohmann::json::parse(Run({"savepoint", "words", "-o", "json"}).out)["batch"], "1234");
  EXPECT_EQ(Run({"savepoint", "nope"}).code, 5);
}

TEST_F(CliTest, SubmitsAndNamesTheJob) {
  AcceptSubmissions();
  const ProgramResult result = Run(
      {"submit", dir_ + "/job.so", "--name", "words", "--arg", "a=1", "--arg", "b=x=y", "--batch-interval", "250ms"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "j-1a2b3c4d\n");
  EXPECT_THAT(result.err, AllOf(HasSubstr("uploading  20 B of 20 B\nplanned\nstarting\n"),
                                HasSubstr("millrace logs j-1a2b3c4d -f")));
  EXPECT_EQ(submitted_.name(), "words");
  EXPECT_EQ(submitted_.arguments().at("a"), "1");
  EXPECT_EQ(submitted_.arguments().at("b"), "x=y");
  EXPECT_EQ(submitted_.batch_interval_us(), 250'000u);
  EXPECT_EQ(nlohmann::json::parse(Run({"submit", "--arg", "a=1", dir_ + "/job.so", "-o", "json"}).out)["id"],
            "j-1a2b3c4d");
}

TEST_F(CliTest, ABadJobGetsThePlannersWords) {
  server_.submit = [](const auto&, const auto&, auto&) {
    return ToGrpc(InvalidArgument("job 'words' cannot be planned:\n  words.cc:7: no sink"));
  };
  const ProgramResult bad = Run({"submit", dir_ + "/job.so"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.err, HasSubstr("millrace: submit: job 'words' cannot be planned:\n  words.cc:7: no sink\n"));
  EXPECT_EQ(bad.out, "");
  const ProgramResult taken = Run({"submit", dir_ + "/job.so", "--name", "refused"});
  EXPECT_EQ(taken.code, 6);
  EXPECT_THAT(taken.err, HasSubstr("\n  try: millrace submit … --name OTHER"));
}

TEST_F(CliTest, ATruncatedAnswerIsAnError) {
  const ProgramResult result = Run({"submit", dir_ + "/job.so"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("the driver's answer ended before it named the job"),
                                HasSubstr("\n  try: millrace list\n")));
  EXPECT_EQ(result.out, "");
}

TEST_F(CliTest, FollowsUntilTheEnd) {
  AcceptSubmissions();
  server_.follow = [this](const auto&, auto&, auto& out) {
    out.Write(StatusEvent(MakeJob("j-1a2b3c4d", "words", v1::JOB_STATE_RUNNING)));
    out.Write(RowsEvent(1, 1, {"c", "d"}, 3));
    out.Write(RowsEvent(1, 0, {"a", "b"}, 3));
    out.Write(RowsEvent(2, 0, {"e"}, 3));
    out.Write(StatusEvent(Ended(v1::JOB_STATE_FINISHED)));
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"submit", dir_ + "/job.so", "--follow"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "-------- batch 1  2023-11-14 22:13:20.100\na\nb\nc\n… 1 more\n"
            "-------- batch 2  2023-11-14 22:13:20.200\ne\n");
  EXPECT_THAT(result.err, HasSubstr("job words (j-1a2b3c4d) finished after 1,234 batches and 9,876,543 records\n"));
  const ProgramResult json = Run({"follow", "words", "-o", "json"});
  EXPECT_EQ(std::ranges::count(json.out, '\n'), 5);
  EXPECT_EQ(nlohmann::json::parse(json.out.substr(0, json.out.find('\n')))["status"]["state"], "JOB_STATE_RUNNING");
}

TEST_F(CliTest, AFailedJobIsEight) {
  AcceptSubmissions();
  server_.follow = [this](const auto&, auto&, auto& out) {
    out.Write(StatusEvent(Ended(v1::JOB_STATE_FAILED, "task 3 failed 4 times: boom")));
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"submit", dir_ + "/job.so", "--wait"});
  EXPECT_EQ(result.code, 8);
  EXPECT_EQ(result.out, "j-1a2b3c4d\n");
  EXPECT_THAT(result.err,
              HasSubstr("millrace: job words: task 3 failed 4 times: boom\n  try: millrace logs j-1a2b3c4d\n"));
  EXPECT_EQ(nlohmann::json::parse(Run({"submit", dir_ + "/job.so", "--wait", "-o", "json"}).out)["state"],
            "JOB_STATE_FAILED");
}

TEST_F(CliTest, AStreamWithoutItsLastWordIsAskedFor) {
  server_.follow = [this](const auto&, auto&, auto& out) {
    out.Write(StatusEvent(MakeJob("j-1a2b3c4d", "words", v1::JOB_STATE_RUNNING)));
    server_.jobs["j-1a2b3c4d"] = Ended(v1::JOB_STATE_STOPPED);
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"follow", "words"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("stopped after"));
}

TEST_F(CliTest, FollowSurvivesABrokenStream) {
  std::atomic<int> calls = 0;
  server_.follow = [&](const auto&, auto&, auto& out) {
    out.Write(RowsEvent(1, 0, {"a"}));
    if (++calls == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going down");
    out.Write(RowsEvent(2, 0, {"b"}));
    out.Write(StatusEvent(Ended(v1::JOB_STATE_FINISHED)));
    return grpc::Status::OK;
  };
  const ProgramResult result = Run({"follow", "words"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "-------- batch 1  2023-11-14 22:13:20.100\na\n-------- batch 2  2023-11-14 22:13:20.200\nb\n");
  EXPECT_THAT(result.err, HasSubstr("connection lost ("));
}

TEST_F(CliTest, CtrlCStopsFollowingOnly) {
  std::atomic<bool> cancelled = false;
  server_.follow = [&](const auto&, grpc::ServerContext& context, auto& out) {
    out.Write(RowsEvent(1, 0, {"a"}));
    out.Write(RowsEvent(2, 0, {"b"}));
    for (std::uint64_t batch = 3; !context.IsCancelled() && out.Write(RowsEvent(batch, 0, {"c"})); ++batch) {
    }
    cancelled = true;
    return grpc::Status::OK;
  };
  bool sent = false;
  const ProgramResult result =
      Run({"follow", "words"}, [&](const std::string&) { return std::exchange(sent, true) ? 0 : SIGINT; });
  EXPECT_EQ(result.code, 130);
  EXPECT_THAT(result.err,
              HasSubstr("stopped following; the job goes on (millrace follow words, millrace stop words)\n"));
  EXPECT_THAT(result.err, Not(HasSubstr("millrace: ")));
}

TEST_F(CliTest, PrintsLogs) {
  server_.logs = [](const v1::LogsRequest& request, auto&, auto& out) {
    v1::LogLine line;
    line.set_time_us(1'700'000'000'100'000);
    line.set_executor("executor-1");
    line.set_text(Concat(request.lines(), request.follow() ? " follow" : ""));
    out.Write(line);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"logs", "words"}).out, "2023-11-14 22:13:20.100  executor-1  100\n");
  EXPECT_EQ(Run({"logs", "words", "-f", "-n", "7"}).out, "2023-11-14 22:13:20.100  executor-1  7 follow\n");
  EXPECT_EQ(nlohmann::json::parse(Run({"logs", "words", "-o", "json"}).out)["executor"], "executor-1");
}

TEST_F(CliTest, LocalBecomesAnotherProgram) {
  std::filesystem::create_directories(dir_ + "/bin");
  std::filesystem::copy(MILLRACE_PROGRAM, dir_ + "/bin/millrace");
  const std::vector<std::string> words = {
      dir_ + "/bin/millrace", "local", "job.so", "--arg", "a=b c", "--seconds", "5"};
  const ProgramResult absent = RunProgram(words, {});
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.err, HasSubstr("the program millrace-local is neither in "));
  std::filesystem::create_directories(dir_ + "/libexec/millrace");
  const std::string program = dir_ + "/libexec/millrace/millrace-local";
  WriteText(program, "#!/bin/sh\nfor word; do echo \"<$word>\"; done\nexit 9\n");
  chmod(program.c_str(), 0755);
  const ProgramResult run = RunProgram(words, {});
  EXPECT_EQ(run.code, 9);
  EXPECT_EQ(run.out, "<job.so>\n<--arg>\n<a=b c>\n<--seconds>\n<5>\n");
}

TEST_F(CliTest, CompletesBash) {
  const ProgramResult script = Run({"completion", "bash"});
  EXPECT_EQ(script.code, 0);
  WriteText(dir_ + "/completion",
            script.out +
                "COMP_WORDS=(millrace submit --na); COMP_CWORD=2; _millrace; echo \"${COMPREPLY[@]}\"\n"
                "COMP_WORDS=(millrace st); COMP_CWORD=1; _millrace; echo \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(RunProgram({"/bin/bash", dir_ + "/completion"}, {"PATH=/usr/bin:/bin"}).out, "--name\nstatus stop\n");
  EXPECT_THAT(Run({"completion", "zsh"}).out, StartsWith("#compdef millrace\n"));
  EXPECT_THAT(Run({"completion", "fish"}).out, HasSubstr("complete -c millrace -n __fish_use_subcommand -f -a submit"));
  EXPECT_EQ(Run({"completion", "csh"}).code, 2);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  millrace::RequireTls13();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
