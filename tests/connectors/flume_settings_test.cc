#include "executor/connectors/flume/settings.h"

#include <gmock/gmock.h>

#include "common/status.h"
#include "executor/connectors/flume/event_records.h"
#include "executor/connectors/flume/incidents.h"

namespace millrace {
namespace {

using testing::HasSubstr;

engine::OperatorDescription Describe(engine::Options options) {
  engine::OperatorDescription description;
  description.name = "events";
  description.connector = "flume";
  description.options = std::move(options);
  return description;
}

std::string ErrorOf(engine::Options options) {
  const auto settings = ReadFlumeSettings(Describe(std::move(options)));
  return settings.ok() ? "no error" : Message(settings.status());
}

TEST(FlumeSettings, ReadsAll) {
  const auto settings = ReadFlumeSettings(Describe({{"bind", "0.0.0.0"},
                                                    {"port", "4141"},
                                                    {"ports", "4"},
                                                    {"receivers", "2"},
                                                    {"id_header", "uuid"},
                                                    {"key_header", "host"},
                                                    {"max_connections", "7"},
                                                    {"max_frame_bytes", "2048"},
                                                    {"max_batch_events", "99"},
                                                    {"certificate", "/c.pem"},
                                                    {"private_key", "/k.pem"}}));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->bind, "0.0.0.0");
  EXPECT_EQ(settings->port, 4141);
  EXPECT_EQ(settings->ports, 4);
  EXPECT_EQ(settings->receivers, 2U);
  EXPECT_EQ(settings->id_header, "uuid");
  EXPECT_EQ(settings->key_header, "host");
  EXPECT_EQ(settings->max_connections, 7U);
  EXPECT_EQ(settings->max_frame_bytes, 2048U);
  EXPECT_EQ(settings->max_batch_events, 99U);
  EXPECT_EQ(settings->where, "source 'events' (flume)");
}

TEST(FlumeSettings, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("option port is missing"));
  EXPECT_THAT(ErrorOf({{"port", "0"}}), HasSubstr("option port must be from 1 to 65535"));
  EXPECT_THAT(ErrorOf({{"port", "1"}, {"bnd", "::"}}), HasSubstr("did you mean 'bind'"));
  EXPECT_THAT(ErrorOf({{"port", "1"}, {"bind", "localhost"}}), HasSubstr("must be an address of the machine"));
  EXPECT_THAT(ErrorOf({{"port", "65535"}, {"ports", "2"}}), HasSubstr("end past 65535"));
  EXPECT_THAT(ErrorOf({{"port", "1"}, {"ports", "2"}, {"receivers", "3"}}), HasSubstr("raise option ports"));
  EXPECT_THAT(ErrorOf({{"port", "1"}, {"certificate", "/c.pem"}}), HasSubstr("option private_key is missing"));
}

TEST(FlumeEvents, TimestampIsMillisecondsOrNothing) {
  EXPECT_EQ(EventTimestamp("1700000000123"), 1'700'000'000'123'000);
  for (const char* text : {"", "-1", "1.5", "soon", "9223372036854775807", "99999999999999999999"}) {
    EXPECT_EQ(EventTimestamp(text), 0) << text;
  }
}

TEST(FlumeIncidents, AreShownForFiveMinutes) {
  Incidents incidents("here");
  const Incidents::Clock::time_point begin{};
  incidents.Note("a", "first", begin);
  incidents.Note("a", "second", begin + std::chrono::minutes(1));
  incidents.Note("b", "other", begin + std::chrono::minutes(4));
  EXPECT_EQ(incidents.text(begin + std::chrono::minutes(4)), "2 times a, last second; 1 time b, last other");
  EXPECT_EQ(incidents.text(begin + std::chrono::minutes(6)), "1 time b, last other");
  EXPECT_EQ(incidents.text(begin + std::chrono::minutes(9)), "");
  EXPECT_EQ(incidents.count("a"), 2U);
}

}  // namespace
}  // namespace millrace
