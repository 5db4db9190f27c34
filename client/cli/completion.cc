#include "client/cli/completion.h"

#include <CLI/CLI.hpp>

#include "common/status.h"

namespace millrace::cli {
namespace {

// "--name" and "-n" of every option that a user may type.
std::vector<std::string> OptionWords(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    for (const std::string& name : option->get_snames()) words.push_back("-" + name);
  }
  return words;
}

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : Commands(app)) names.push_back(command->get_name());
  return Join(names);
}

std::string Bash(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : Commands(app)) {
    cases += Concat("    ", command->get_name(), ") words=\"", Join(OptionWords(*command)), "\" ;;\n");
  }
  return Concat(R"(# bash completion for millrace: millrace completion bash > /etc/bash_completion.d/millrace
_millrace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' words word
  local commands=')",
                CommandNames(app), R"('
  case $previous in
    -o|--output) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$current"); return ;;
    completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh fish' -- "$current"); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " $commands " in *" $word "*) command=$word; break ;; esac
  done
  case $command in
    '') words=$commands ;;
)",
                cases, R"(  esac
  if [[ $current == -* ]]; then
    words+=" )",
                Join(OptionWords(app)), R"("
  elif [[ -n $command ]]; then
    return  # a file name or a job
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o bashdefault -o default -F _millrace millrace
)");
}

// A description inside single quotes. zsh takes ':' and brackets for syntax unless they are escaped.
std::string Quoted(const std::string& text, std::string_view escaped = "") {
  std::string out;
  for (const char c : text) {
    if (escaped.find(c) != escaped.npos) out += '\\';
    out += c == '\'' ? "’" : std::string(1, c);
  }
  return out;
}
std::string ZshText(const std::string& text) { return Quoted(text, ":[]"); }

std::string ZshOptions(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    const bool value = option->get_items_expected_max() > 0;
    for (const std::string& name : option->get_lnames()) {
      out += Concat(" '--", name, value ? "=" : "", "[", ZshText(option->get_description()), "]",
                    value ? ":value:_files" : "", "'");
    }
    for (const std::string& name : option->get_snames()) {
      out += Concat(" '-", name, value ? "+" : "", "[", ZshText(option->get_description()), "]",
                    value ? ":value:_files" : "", "'");
    }
  }
  return out;
}

std::string Zsh(const CLI::App& app) {
  std::string names;
  std::string cases;
  for (const CLI::App* command : Commands(app)) {
    names += Concat("    '", command->get_name(), ":", ZshText(command->get_description()), "'\n");
    const std::string_view rest =
        command->get_name() == "completion" ? " '1:shell:(bash zsh fish)'" : " '*:file:_files'";
    cases += Concat("        ", command->get_name(), ") _arguments", ZshOptions(*command), rest, " ;;\n");
  }
  return Concat(
      "#compdef millrace\n# zsh completion for millrace: millrace completion zsh > "
      "\"${fpath[1]}/_millrace\"\n_millrace() {\n"
      "  local -a commands=(\n",
      names, "  )\n  local state\n  _arguments -C", ZshOptions(app),
      " '1:command:->command' '*::argument:->argument'\n"
      "  case $state in\n    command) _describe command commands ;;\n    argument)\n      case $words[1] in\n",
      cases, "      esac ;;\n  esac\n}\n_millrace \"$@\"\n");
}

std::string FishOptions(const CLI::App& app, std::string_view condition) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    std::string names;
    for (const std::string& name : option->get_lnames()) names += " -l " + name;
    for (const std::string& name : option->get_snames()) names += " -s " + name;
    if (names.empty()) continue;
    const std::string_view value = option->get_items_expected_max() > 0 ? " -r" : "";
    out += Concat("complete -c millrace", condition, names, value, " -d '", Quoted(option->get_description()), "'\n");
  }
  return out;
}

std::string Fish(const CLI::App& app) {
  std::string out =
      "# fish completion for millrace: millrace completion fish > ~/.config/fish/completions/millrace.fish\n";
  out += FishOptions(app, "");
  for (const CLI::App* command : Commands(app)) {
    out += Concat("complete -c millrace -n __fish_use_subcommand -f -a ", command->get_name(), " -d '",
                  Quoted(command->get_description()), "'\n");
    out += FishOptions(*command, Concat(" -n '__fish_seen_subcommand_from ", command->get_name(), "'"));
  }
  return out + "complete -c millrace -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
}

}  // namespace

std::string CompletionScript(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return Bash(app);
  if (shell == "zsh") return Zsh(app);
  return Fish(app);
}

}  // namespace millrace::cli
