#include "common/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr OptionSpec kOptions[] = {
    {.key = "cluster", .default_text = "dev", .doc = "The cluster's name."},
    {.key = "scheduler.slots",
     .type = OptionType::kInteger,
     .default_text = "4",
     .doc = "Tasks at once.",
     .unit = "tasks",
     .min = 1,
     .max = 1024},
    {.key = "driver.listen", .default_text = "127.0.0.1:7077", .doc = "Where clients and executors connect."},
    {.key = "driver.patience",
     .type = OptionType::kDuration,
     .default_text = "5s",
     .doc = "How long a silence may last.",
     .min = 1'000,
     .max = 60'000'000},
    {.key = "driver.peers", .type = OptionType::kList, .default_text = "", .doc = "Standby drivers."},
    {.key = "memory", .type = OptionType::kSize, .default_text = "64MiB", .doc = "Budget.", .min = 1 << 20},
    {.key = "load", .type = OptionType::kNumber, .default_text = "0.5", .doc = "Share.", .max = 1},
    {.key = "log.json", .type = OptionType::kBool, .default_text = "false", .doc = "JSON."},
    {.key = "log.level", .default_text = "info", .doc = "Level.", .choices = "debug|info|warn|error"},
};

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/config_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    before_ = std::filesystem::current_path();
    dir_ = pattern;
    std::filesystem::current_path(dir_);  // so that messages hold short names
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(dir_);
  }

  absl::StatusOr<Config> Load(const std::string& yaml, const std::vector<std::string>& sets = {},
                              std::vector<const char*> environment = {}) {
    std::ofstream("driver.yaml") << yaml;
    environment.push_back(nullptr);
    return LoadConfig(kOptions, "driver.yaml", sets, environment.data());
  }
  std::string Error(const std::string& yaml, const std::vector<std::string>& sets = {},
                    std::vector<const char*> environment = {}) {
    const absl::StatusOr<Config> config = Load(yaml, sets, std::move(environment));
    return config.ok() ? "no error" : Message(config.status());
  }

 private:
  std::filesystem::path dir_, before_;
};

TEST_F(ConfigTest, DefaultsAloneAreEnough) {
  const auto config = LoadConfig(kOptions, "", {}, nullptr);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->String("cluster"), "dev");
  EXPECT_EQ(config->Integer("scheduler.slots"), 4);
  EXPECT_EQ(config->DurationUs("driver.patience"), 5'000'000);
  EXPECT_EQ(config->SizeBytes("memory"), 64u << 20);
  EXPECT_DOUBLE_EQ(config->Number("load"), 0.5);
  EXPECT_FALSE(config->Bool("log.json"));
  EXPECT_TRUE(config->List("driver.peers").empty());
  EXPECT_EQ(config->Origin("memory"), "default");
}

TEST_F(ConfigTest, ReadsEveryType) {
  const auto config = Load(
      "cluster: prod\nscheduler: {slots: 16}\ndriver:\n  patience: 250ms\n  peers: [a:1, b:2]\nmemory: 1GiB\nload: "
      "0.25\n"
      "log:\n  json: true\n  level: warn\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->String("cluster"), "prod");
  EXPECT_EQ(config->Integer("scheduler.slots"), 16);
  EXPECT_EQ(config->DurationUs("driver.patience"), 250'000);
  EXPECT_THAT(config->List("driver.peers"), ElementsAre("a:1", "b:2"));
  EXPECT_EQ(config->SizeBytes("memory"), 1u << 30);
  EXPECT_DOUBLE_EQ(config->Number("load"), 0.25);
  EXPECT_TRUE(config->Bool("log.json"));
  EXPECT_EQ(config->String("log.level"), "warn");
  EXPECT_EQ(config->Origin("driver.patience"), "driver.yaml:4:13");
}

TEST_F(ConfigTest, SetBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string yaml = "driver: {listen: file, patience: 1s}\ncluster: file\n";
  const auto config =
      Load(yaml, {"driver.listen=set"},
           {"MILLRACE__DRIVER__LISTEN=env", "MILLRACE__CLUSTER=env", "MILLRACE_TLS_DIR=/x", "PATH=/bin"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->String("driver.listen"), "set");
  EXPECT_EQ(config->Origin("driver.listen"), "--set");
  EXPECT_EQ(config->String("cluster"), "env");
  EXPECT_EQ(config->Origin("cluster"), "environment MILLRACE__CLUSTER");
  EXPECT_EQ(config->DurationUs("driver.patience"), 1'000'000);
  EXPECT_EQ(config->Integer("scheduler.slots"), 4);
}

TEST_F(ConfigTest, EmptyFileAndEmptySectionsAreFine) {
  EXPECT_TRUE(Load("").ok());
  EXPECT_TRUE(Load("# nothing\n").ok());
  EXPECT_TRUE(Load("driver:\nlog: {}\n").ok());
}

TEST_F(ConfigTest, NamesUnknownKeysWithTheirPlace) {
  EXPECT_EQ(Error("cluster: a\n\n  \nsheduler:\n  slots: 1\n"),
            "driver.yaml:4:1: unknown key 'sheduler', did you mean 'scheduler'?");
  EXPECT_EQ(Error("driver:\n  listn: a\n"),
            "driver.yaml:2:3: unknown key 'driver.listn', did you mean 'driver.listen'?");
  EXPECT_EQ(Error("something: a\n"),
            "driver.yaml:1:1: unknown key 'something': none is like it, see the list of all keys");
  EXPECT_EQ(Error("", {"log.levl=info"}), "--set: unknown key 'log.levl', did you mean 'log.level'?");
  EXPECT_EQ(Error("", {}, {"MILLRACE__LOG__LEVL=info"}),
            "environment MILLRACE__LOG__LEVL: unknown key 'log.levl', did you mean 'log.level'?");
}

TEST_F(ConfigTest, NamesWrongTypesAndRangesWithTheirPlace) {
  EXPECT_EQ(Error("scheduler:\n  slots: many\n"), "driver.yaml:2:10: scheduler.slots: 'many' is not a whole number");
  EXPECT_EQ(Error("scheduler: {slots: 0}"),
            "driver.yaml:1:20: scheduler.slots: '0' is too small: at least 1 tasks is needed");
  EXPECT_EQ(Error("scheduler: {slots: 2000}"),
            "driver.yaml:1:20: scheduler.slots: '2000' is too large: at most 1024 tasks is allowed");
  EXPECT_EQ(Error("driver: {patience: 5}"),
            "driver.yaml:1:20: driver.patience: '5' is no duration: give a number and a unit, such as 500ms or 1s "
            "(units us, ms, s, m, h, d)");
  EXPECT_EQ(Error("driver: {patience: 2h}"),
            "driver.yaml:1:20: driver.patience: '2h' is too large: at most 1m is allowed");
  EXPECT_EQ(Error("memory: 10KiB"), "driver.yaml:1:9: memory: '10KiB' is too small: at least 1MiB is needed");
  EXPECT_EQ(Error("load: nan"), "driver.yaml:1:7: load: 'nan' is not a number");
  EXPECT_EQ(Error("log: {json: maybe}"), "driver.yaml:1:13: log.json: 'maybe' is neither true nor false");
  EXPECT_EQ(Error("log: {level: warm}"),
            "driver.yaml:1:14: log.level: 'warm' is none of debug, info, warn, error, did you mean 'warn'?");
  EXPECT_EQ(Error("", {"memory=lots"}).substr(0, 30), "--set: memory: 'lots' is no si");
}

TEST_F(ConfigTest, NamesWrongShapes) {
  EXPECT_EQ(Error("cluster: [a, b]"), "driver.yaml:1:10: cluster must be one value, text, not a list or a section");
  EXPECT_EQ(Error("driver: 5"), "driver.yaml:1:9: 'driver' must hold keys and values");
  EXPECT_EQ(Error("- a\n- b\n"), "driver.yaml:1:1: the file must hold keys and values");
  EXPECT_EQ(Error("cluster:\n"), "driver.yaml:1:1: key 'cluster' has no value");
  EXPECT_EQ(Error("cluster: a\nmemory: 2MiB\ncluster: b\n"),
            "driver.yaml:3:1: key 'cluster' is given twice, first at driver.yaml:1:1");
  EXPECT_EQ(Error("driver: {peers: [[a]]}"), "driver.yaml:1:18: driver.peers must be a list of words");
  EXPECT_EQ(Error("? [a]\n: b\n"), "driver.yaml:1:3: a key must be a word");
  EXPECT_EQ(Error("", {"memory"}), "--set memory: write --set key=value");
  EXPECT_THAT(Error("a: [1\nb: 2"), HasSubstr("driver.yaml:2:2: this is not YAML: "));
}

TEST_F(ConfigTest, NamesAMissingFile) {
  const auto config = LoadConfig(kOptions, "nowhere.yaml", {}, nullptr);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(config.status()), HasSubstr("nowhere.yaml"));
}

TEST_F(ConfigTest, GarbageIsAnErrorAndNothingWorse) {
  for (const std::string& yaml :
       {std::string("\x00\xff\xfe", 3), std::string(5000, '['), std::string(5000, '{'), std::string("&a [*a]"),
        std::string("a: *b"), std::string("\tx: 1"), std::string("%YAML 9\n---\n")}) {
    EXPECT_FALSE(Load(yaml).ok()) << yaml.substr(0, 20);
  }
}

TEST(Describe, ListsEveryOption) {
  const std::string text = Describe(kOptions);
  EXPECT_THAT(text,
              HasSubstr("driver.patience  [a duration (500ms)]  default: 5s\n    How long a silence may last.\n"));
  EXPECT_THAT(text, HasSubstr("log.level  [debug|info|warn|error]  default: info\n"));
  EXPECT_THAT(text, HasSubstr("driver.peers  [a list]  default: none\n"));
}

}  // namespace
}  // namespace millrace
