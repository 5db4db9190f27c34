// Tokens, the ring, and the nodes of a cluster.
#include <gtest/gtest.h>

#include "executor/connectors/cassandra/murmur3.h"
#include "executor/connectors/cassandra/options.h"
#include "executor/connectors/cassandra/ring.h"
#include "executor/connectors/cassandra/topology.h"
#include "executor/connectors/cassandra/wire.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {
namespace {

using namespace std::string_literals;

std::string Times(int n, const std::string& text) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

TEST(CassandraMurmur3, KnownTokens) {
  EXPECT_EQ(Murmur3Token("123"), -7468325962851647638LL);
  EXPECT_EQ(Murmur3Token(Times(10, "\x00\xff\x10\xfa\x99"s)), 5837342703291459765LL);
  EXPECT_EQ(Murmur3Token(Times(8, "\xfe")), -8927430733708461935LL);
  EXPECT_EQ(Murmur3Token(Times(8, "\x10")), 1446172840243228796LL);
  EXPECT_EQ(Murmur3Token("9223372036854775807"), 7162290910810015547LL);
}

// Keys of every length of the tail, with bytes above 127: what another driver computes for them.
TEST(CassandraMurmur3, EveryLengthOfTheTail) {
  constexpr std::int64_t kTokens[] = {
      0LL,
      -7299393527204481650LL,
      -8140077134074869146LL,
      -3133735113233649620LL,
      -2657119990765585433LL,
      7879282496902941315LL,
      -8418765997777948644LL,
      873729386038173999LL,
      6581273143521528945LL,
      -8799594591213860864LL,
      -5979826225369487658LL,
      5657743957007385836LL,
      -4240281926472779084LL,
      -2518468629978268745LL,
      3810991415888822318LL,
      -6201635066792473843LL,
      -2588277571949181093LL,
      4240280231472771572LL,
      1625761987028481799LL,
      398048559534229443LL,
      -7333274933463781782LL,
      3400909845472238191LL,
      -1596376939192148906LL,
      6269954798478228941LL,
      2624990123792075921LL,
      5609274453120610316LL,
      -7619275339747734995LL,
      -2450320486239038821LL,
      6596349291545672150LL,
      5980130945346738655LL,
      633616233590772269LL,
      6839175351950593501LL,
      324723088855937792LL,
      -5881371542806061671LL,
  };
  for (std::size_t n = 0; n < std::size(kTokens); ++n) {
    std::string key;
    for (std::size_t i = 0; i < n; ++i) key.push_back(static_cast<char>((i * 37 + n * 11 + 128) % 256));
    EXPECT_EQ(Murmur3Token(key), kTokens[n]) << n;
  }
}

std::vector<std::uint32_t> Of(std::span<const std::uint32_t> nodes) { return {nodes.begin(), nodes.end()}; }

TEST(CassandraRing, WalksClockwiseFromTheToken) {
  const std::vector<NodeInfo> nodes = {{{"a", 1}, "dc", {-100, 50}}, {{"b", 1}, "dc", {0}}, {{"c", 1}, "dc", {100}}};
  const Ring ring(nodes, "dc");
  using Nodes = std::vector<std::uint32_t>;
  EXPECT_EQ(Of(ring.Candidates(-200)), (Nodes{0, 1, 2}));
  EXPECT_EQ(Of(ring.Candidates(-100)), (Nodes{0, 1, 2}));
  EXPECT_EQ(Of(ring.Candidates(-99)), (Nodes{1, 0, 2}));
  EXPECT_EQ(Of(ring.Candidates(51)), (Nodes{2, 0, 1}));
  EXPECT_EQ(Of(ring.Candidates(101)), (Nodes{0, 1, 2})) << "past the last token the ring begins again";
  EXPECT_TRUE(Ring().Candidates(5).empty());
}

TEST(CassandraRing, KeepsToTheLocalDatacenter) {
  const std::vector<NodeInfo> nodes = {{{"a", 1}, "far", {0}}, {{"b", 1}, "near", {10}}};
  EXPECT_EQ(Of(Ring(nodes, "near").Candidates(-5)), std::vector<std::uint32_t>{1});
  EXPECT_EQ(Of(Ring(nodes, "none").Candidates(-5)), (std::vector<std::uint32_t>{0, 1}));
}

std::string TextSet(const std::vector<std::string>& texts) {
  WireWriter out;
  out.Int(static_cast<std::int32_t>(texts.size()));
  for (const std::string& text : texts) out.Bytes(text);
  return out.Take();
}

TEST(CassandraTopology, NodesHaveAddressPortAndTokens) {
  RowSet local;
  local.columns = {"data_center", "partitioner", "tokens"};
  local.rows = {{"dc1"s, "org.apache.cassandra.dht.Murmur3Partitioner"s, TextSet({"-9223372036854775808", "7"})}};
  RowSet peers;
  peers.columns = {"native_address", "native_port", "data_center", "tokens"};
  const std::string port = WireWriter().Int(9999).Take();
  peers.rows = {{"\x0a\x00\x00\x02"s, port, "dc1"s, TextSet({"5"})},
                {"\x0a\x00\x00\x03"s, port, "dc1"s, std::nullopt},    // is being added
                {"\x00\x00\x00\x00"s, port, "dc1"s, TextSet({"6"})},  // tells no address
                {"\x0a\x00\x00"s, port, "dc1"s, TextSet({"8"})}};     // tells nonsense
  const Topology topology = MakeTopology(local, peers, {"contact", 9042});
  ASSERT_EQ(topology.nodes.size(), 2U);
  EXPECT_TRUE(topology.murmur3);
  EXPECT_EQ(topology.local_datacenter, "dc1");
  EXPECT_EQ(topology.nodes[0].endpoint.Name(), "contact:9042");
  EXPECT_EQ(topology.nodes[0].tokens, (std::vector<std::int64_t>{INT64_MIN, 7}));
  EXPECT_EQ(topology.nodes[1].endpoint.Name(), "10.0.0.2:9999");
}

TEST(CassandraTopology, OlderServersTellTheirPeersOtherwise) {
  RowSet local;
  RowSet peers;
  peers.columns = {"peer", "rpc_address", "data_center", "tokens"};
  peers.rows = {{"\x0a\x00\x00\x02"s, "\x00\x00\x00\x00"s, "dc1"s, TextSet({"5"})}};
  const Topology topology = MakeTopology(local, peers, {"contact", 9043});
  ASSERT_EQ(topology.nodes.size(), 2U);
  EXPECT_EQ(topology.nodes[1].endpoint.Name(), "10.0.0.2:9043") << "peer stands in for 0.0.0.0";
}

std::string Points(std::string_view text) {
  auto points = net::ParseEndpoints(text, 9042);
  if (!points.ok()) return Message(points.status());
  std::string out;
  for (const Endpoint& point : *points) out += point.Name() + " ";
  return out;
}

TEST(CassandraContactPoints, AreHostsWithOrWithoutPorts) {
  EXPECT_EQ(Points("a, b:9043,[::1]:1,[::2],fe80::1"), "a:9042 b:9043 [::1]:1 [::2]:9042 [fe80::1]:9042 ");
  EXPECT_EQ(Points("a,,b"), "has an empty entry in 'a,,b'");
  EXPECT_EQ(Points(""), "has an empty entry in ''");
  EXPECT_EQ(Points("a:0"), "has 'a:0', whose port is not from 1 to 65535");
  EXPECT_EQ(Points("a:"), "has 'a:', which lacks its port");
  EXPECT_EQ(Points(":1"), "has ':1', which names no host");
  EXPECT_EQ(Points("[::1"), "has '[::1', which lacks its ']'");
}

}  // namespace
}  // namespace millrace::cassandra
