// The Yahoo Streaming Benchmark as the peers do it: of JSON events the views, their ads' campaigns, and how many views
// a campaign has in each window of ten seconds of event time; counted per batch, written to Kafka exactly once as the
// number of views of each partition.
#include <millrace/millrace.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;

namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using CampaignOfAd = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

// Ad j of 1,000 belongs to campaign j / 10.
CampaignOfAd Campaigns() {
  CampaignOfAd campaigns;
  for (std::uint32_t ad = 0; ad < 1000; ++ad) {
    char id[40];
    std::snprintf(id, sizeof id, "%08x-0000-4000-8000-%012x", ad * 2654435761U, ad);
    campaigns.emplace(id, ad / 10);
  }
  return campaigns;
}

// The text between the name of a field and the next quote; found by name, as the peers do.
std::string_view Field(std::string_view event, std::string_view name, std::size_t from = 0) {
  const std::size_t at = event.find(name, from);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = event.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

MILLRACE_JOB(ysb, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 1000ms));
  const std::string brokers = ctx.Arg("brokers");
  ctx.KafkaText({.brokers = brokers, .topics = {ctx.Arg("in")}, .start = KafkaStart::Parse("earliest")})
      .FlatMap<std::pair<std::uint64_t, std::uint64_t>>([campaigns = Campaigns()](std::string_view event, auto&& emit) {
        const std::string_view kind = Field(event, "\"event_type\":\"");
        if (kind != "view") return;
        const auto campaign = campaigns.find(Field(event, "\"ad_id\":\""));
        if (campaign == campaigns.end()) return;
        const std::string_view text =
            Field(event, "\"event_time\":\"", static_cast<std::size_t>(kind.data() - event.data()));
        std::uint64_t time_ms = 0;
        std::from_chars(text.data(), text.data() + text.size(), time_ms);
        emit(std::pair(time_ms / 10'000 * 100 + campaign->second, std::uint64_t{1}));
      })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2))
      .MapPartitions<std::string>([](std::span<const std::pair<std::uint64_t, std::uint64_t>> windows, auto&& emit) {
        std::uint64_t views = 0;
        for (const auto& [window, count] : windows) views += count;
        if (views > 0) emit(std::to_string(views) + '\t' + std::to_string(windows.size()));
      })
      .ToKafka({.brokers = brokers, .topic = ctx.Arg("out")});
}
