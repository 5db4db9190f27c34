// Publishes "m0", "m1", … to RabbitMQ. Arguments: hosts, username, password_file, exchange, routing_key, count, rate.
#include <millrace/millrace.h>

MILLRACE_JOB(RabbitMqOut, ctx) {
  using namespace std::chrono_literals;
  ctx.BatchInterval(100ms);
  ctx.Generator({.rate = ctx.Arg<std::uint64_t>("rate", 20'000), .count = ctx.Arg<std::uint64_t>("count", 100'000)},
                [](std::uint64_t index, std::uint64_t) { return "m" + std::to_string(index); })
      .ToRabbitMq({.server = {.hosts = {ctx.Arg("hosts")},
                              .username = ctx.Arg("username"),
                              .password_file = ctx.Arg("password_file"),
                              .heartbeat = 2s},
                   .exchange = ctx.Arg("exchange", ""),
                   .routing_key = ctx.Arg("routing_key", "")})
      .Uid("out");
}
