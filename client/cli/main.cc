// The command line: the tree of commands, and nothing else. docs/millrace.md is its manual.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "client/cli/commands.h"
#include "client/cli/completion.h"
#include "common/nearest.h"
#include "common/net/grpc_log.h"
#include "common/net/tls.h"

namespace millrace::cli {
namespace {

// All options, and what to run once they are parsed.
struct CommandLine {
  CLI::App app{"Submits streaming jobs to a Millrace cluster and watches them.", "millrace"};
  GlobalOptions global;
  bool all = false;
  std::string job;
  std::string shell;
  SubmitArguments submit;
  StatusArguments status;
  StopArguments stop;
  LogsArguments logs;
  RowsArguments rows;
  LocalArguments local;
  std::function<ExitCode(Session&)> run;
};

void AddGlobalOptions(CommandLine& line) {
  CLI::App& app = line.app;
  GlobalOptions& global = line.global;
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_help_all_flag("--help-all", "Print the help of all commands and exit");
  app.add_option("--driver", global.driver,
                 "HOST:PORT of the driver, or several with commas (MILLRACE_DRIVER; default 127.0.0.1:7077)");
  app.add_option("--tls-dir", global.tls_dir, "Directory of ca.crt, client.crt, client.key (MILLRACE_TLS_DIR)");
  app.add_option("--ca", global.ca, "The certificate of the cluster's CA");
  app.add_option("--cert", global.cert, "The client's certificate");
  app.add_option("--key", global.key, "The client's private key");
  app.add_option("--config", global.config, "Configuration file (default ~/.config/millrace/client.yaml)");
  app.add_option("--timeout", global.timeout, "How long to wait for a connection or an answer (default 10s)");
  app.add_option("-o,--output", global.output, "table or json")->check(CLI::IsMember({"table", "json"}));
  app.add_flag_callback(
      "--help-config",
      [] {
        std::fputs(DescribeSettings().c_str(), stdout);
        throw CLI::Success();
      },
      "Print the keys of the configuration file and exit");
  app.add_flag_callback(
      "--version",
      [&global] {
        Version(global);
        throw CLI::Success();
      },
      "Print the version and exit");
  app.footer(std::string(ExitCodeHelp()));
  app.require_subcommand(1);
  app.fallthrough();  // global options may stand behind the command
}

// Options of one value that may be repeated; CLI11 would otherwise let the first one swallow what follows.
void AddJobArguments(CLI::App& command, std::vector<std::string>& target) {
  command.add_option("--arg", target, "Argument of the job, key=value; may be repeated")->allow_extra_args(false);
}

void AddSubmit(CommandLine& line) {
  CLI::App& command = *line.app.add_subcommand("submit", "Upload a job library and start it");
  SubmitArguments& submit = line.submit;
  command.add_option("library", submit.job_library, "The job's shared library, LIB.so")->required();
  command.add_option("--name", submit.name, "Name of the job (default: as in the library)");
  AddJobArguments(command, submit.arguments);
  command.add_option("--batch-interval", submit.batch_interval, "Beats the job's own, from 1ms to 1h: 100ms");
  command.add_option("--from", submit.from,
                     "Go on where this ended job was, or its last savepoint: its positions and, by uid, its state");
  command.add_flag("--follow", submit.follow, "Print the job's rows until it ends");
  command.add_flag("--wait", submit.wait, "Wait until the job ends");
  command.callback([&line] { line.run = [&line](Session& session) { return Submit(session, line.submit); }; });
}

void AddQuestions(CommandLine& line) {
  CLI::App& list = *line.app.add_subcommand("list", "List jobs");
  list.add_flag("--all", line.all, "Ended jobs, too");
  list.callback([&line] { line.run = [&line](Session& session) { return List(session, line.all); }; });

  CLI::App& status = *line.app.add_subcommand("status", "Show a job and its last batches");
  status.add_option("job", line.status.job, "Id, name, or beginning of an id")->required();
  status.add_option("--batches", line.status.batches, "How many of the last batches, up to 1000 (default 10)")
      ->check(CLI::Range(0, 1000));
  status.add_flag("--watch", line.status.watch, "Show it again every second until the job ends");
  status.callback([&line] { line.run = [&line](Session& session) { return Status(session, line.status); }; });

  CLI::App& executors = *line.app.add_subcommand("executors", "List the cluster's executors");
  executors.callback([&line] { line.run = [](Session& session) { return Executors(session); }; });
}

void AddJobCommands(CommandLine& line) {
  CLI::App& stop = *line.app.add_subcommand("stop", "Stop a job after the batches that are already cut");
  stop.add_option("job", line.stop.job, "Id, name, or beginning of an id")->required();
  CLI::Option* now = stop.add_flag("--now", line.stop.now, "Do not finish the batches that are already cut");
  CLI::Option* drain =
      stop.add_flag("--drain", line.stop.drain,
                    "Receivers stop first, and all that they have received is processed; wait until that is done");
  drain->excludes(now);
  stop.add_option("--deadline", line.stop.deadline, "With --drain: stop then, whatever is unfinished (default 60s)")
      ->needs(drain);
  stop.callback([&line] { line.run = [&line](Session& session) { return Stop(session, line.stop); }; });

  CLI::App& savepoint = *line.app.add_subcommand("savepoint", "Save a job's state now, and print after which batch");
  savepoint.add_option("job", line.job, "Id, name, or beginning of an id")->required();
  savepoint.callback([&line] { line.run = [&line](Session& session) { return Savepoint(session, line.job); }; });

  CLI::App& follow = *line.app.add_subcommand("follow", "Print a job's rows until it ends");
  follow.add_option("job", line.job, "Id, name, or beginning of an id")->required();
  follow.callback([&line] { line.run = [&line](Session& session) { return FollowJob(session, line.job); }; });

  CLI::App& rows = *line.app.add_subcommand("rows", "Print the rows of a job's past batches that the driver has kept");
  rows.add_option("job", line.rows.job, "Id, name, or beginning of an id")->required();
  rows.add_option("--since", line.rows.since, "Only of batches that are not older: 30s, 5m");
  rows.callback([&line] { line.run = [&line](Session& session) { return Rows(session, line.rows); }; });

  CLI::App& logs = *line.app.add_subcommand("logs", "Print what a job's runners wrote to stdout and stderr");
  logs.add_option("job", line.logs.job, "Id, name, or beginning of an id")->required();
  logs.add_flag("-f,--follow", line.logs.follow, "Go on with new lines until the job ends");
  logs.add_option("-n,--lines", line.logs.lines, "How many old lines, up to 10000 (default 100)")
      ->check(CLI::Range(1, 10'000));
  logs.callback([&line] { line.run = [&line](Session& session) { return Logs(session, line.logs); }; });
}

void AddLocalCommands(CommandLine& line) {
  CLI::App& local = *line.app.add_subcommand("local", "Run a job on this machine alone, without a cluster");
  local.add_option("library", line.local.job_library, "The job's shared library, LIB.so")->required();
  AddJobArguments(local, line.local.arguments);
  local.add_option("--seconds", line.local.seconds, "Stop after so many seconds")->check(CLI::PositiveNumber);
  local.add_option("--batch-interval", line.local.batch_interval, "Beats the job's own: 100ms");
  local.callback([&line] { line.run = [&line](Session&) { return Local(line.local); }; });

  CLI::App& completion = *line.app.add_subcommand("completion", "Print a completion script for a shell");
  completion.add_option("shell", line.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion.callback([&line] {
    line.run = [&line](Session&) {
      std::fputs(CompletionScript(line.app, line.shell).c_str(), stdout);
      return kExitOk;
    };
  });

  CLI::App& version = *line.app.add_subcommand("version", "Print the version");
  version.callback([&line] { line.run = [](Session& session) { return Version(session.global); }; });
}

// "sbmit" is an unexpected argument to CLI11; say what was meant.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with('-')) {
      if (word.find('=') == word.npos) ++i;  // all global options have a value
      continue;
    }
    if (std::ranges::find(names, word) != names.end()) return {};
    return Concat("there is no command '", word, "'", DidYouMean(word, names));
  }
  return {};
}

int Main(int argc, char** argv) {
  RequireTls13();
  SilenceGrpcLog();
  static Interrupt& interrupt = *new Interrupt;  // its thread uses it until the process is gone
  CommandLine line;
  AddGlobalOptions(line);
  AddSubmit(line);
  AddQuestions(line);
  AddJobCommands(line);
  AddLocalCommands(line);
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return line.app.exit(error);
    const std::string unknown = UnknownCommand(line.app, argc, argv);
    return Report("usage", unknown.empty() ? error.what() : unknown, "millrace --help", kExitUsage);
  }
  Session session{line.global, interrupt, nullptr};
  const ExitCode code = line.run(session);
  interrupt.Attach(nullptr);
  return code;
}

}  // namespace
}  // namespace millrace::cli

int main(int argc, char** argv) { return millrace::cli::Main(argc, argv); }
