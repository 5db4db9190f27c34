#include "common/net/driver_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DriverAddresses Of(std::string_view list) {
  auto addresses = DriverAddresses::Parse(list);
  EXPECT_TRUE(addresses.ok()) << addresses.status();
  return *std::move(addresses);
}

TEST(DriverAddresses, TakesOneOrSeveral) {
  EXPECT_THAT(Of("a:1").all(), ElementsAre("a:1"));
  EXPECT_FALSE(Of("a:1").several());
  EXPECT_THAT(Of("a:1, b.example:7077,[::1]:2,a:1").all(), ElementsAre("a:1", "b.example:7077", "[::1]:2"));
  EXPECT_EQ(Of("a:1, b:2").text(), "a:1,b:2");
}

TEST(DriverAddresses, RefusesWhatIsNone) {
  for (const std::string_view bad :
       {"", "a", ":1", "a:", "a:0", "a:65536", "a:x", "a:1,", ",a:1", "a:1;b:2", "http://a:1", "a b:1"}) {
    const auto addresses = DriverAddresses::Parse(bad);
    EXPECT_TRUE(absl::IsInvalidArgument(addresses.status())) << bad;
    EXPECT_THAT(Message(addresses.status()), HasSubstr("must be HOST:PORT")) << bad;
  }
}

TEST(DriverAddresses, GoesRound) {
  DriverAddresses addresses = Of("a:1,b:2,c:3");
  for (const std::string next : {"a:1", "b:2", "c:3", "a:1"}) {
    EXPECT_EQ(addresses.Current(), next);
    addresses.Next("connection refused");
  }
  EXPECT_EQ(addresses.text(), "b:2,c:3,a:1") << "the current first";
  DriverAddresses one = Of("a:1");
  one.Next();
  EXPECT_EQ(one.Current(), "a:1");
}

TEST(DriverAddresses, GoesToTheLeader) {
  DriverAddresses addresses = Of("a:1,b:2,c:3");
  addresses.Next(Message(NotTheLeader("c:3", "")));
  EXPECT_EQ(addresses.Current(), "c:3");
  addresses.Next(Message(NotTheLeader("c:3", "")));
  EXPECT_EQ(addresses.Current(), "a:1") << "it cannot lead and say that it does not";
  addresses.Next(Message(NotTheLeader("other:9", "")));
  EXPECT_EQ(addresses.Current(), "b:2") << "not one of ours";
  addresses.Next(Message(NotTheLeader("", "")));
  EXPECT_EQ(addresses.Current(), "c:3");
}

TEST(NotTheLeader, IsRecognised) {
  EXPECT_EQ(Message(NotTheLeader("a:1", "ignored")), "not the leader; the leader is a:1");
  EXPECT_TRUE(absl::IsUnavailable(NotTheLeader("a:1", "")));
  EXPECT_TRUE(IsNotTheLeader("127.0.0.1:5: not the leader; no leader is known"));
  EXPECT_FALSE(IsNotTheLeader("connection refused"));
  EXPECT_EQ(LeaderIn("b:2: not the leader; the leader is a:1; b:3: connection refused"), "a:1");
  EXPECT_EQ(LeaderIn("not the leader; no leader is known"), "");
  EXPECT_EQ(LeaderIn(""), "");
}

}  // namespace
}  // namespace millrace
