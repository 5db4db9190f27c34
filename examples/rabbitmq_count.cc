// Counts the messages of RabbitMQ queues by their text, batch by batch, as lines "text<TAB>count" of files.
//
//   millrace submit rabbitmq_count.so --arg hosts=127.0.0.1:5672 --arg queues=orders --arg out=/var/lib/counts
#include <millrace/millrace.h>

MILLRACE_JOB(RabbitMqCount, ctx) {
  using namespace std::chrono_literals;
  ctx.BatchInterval(ctx.Arg("interval", 200ms));
  const millrace::RabbitMqServer server = {.hosts = {ctx.Arg("hosts")},
                                           .virtual_host = ctx.Arg("virtual_host", "/"),
                                           .username = ctx.Arg("username", "guest"),
                                           .password_file = ctx.Arg("password_file", ""),
                                           .tls = ctx.Arg("tls", false),
                                           .ca_file = ctx.Arg("ca_file", ""),
                                           .heartbeat = 2s};
  ctx.RabbitMqText({.server = server,
                    .queues = {ctx.Arg("queues")},
                    .receivers = ctx.Arg<std::uint32_t>("receivers", 1),
                    .max_message_bytes = ctx.Arg<std::uint64_t>("max_message_bytes", 1 << 20)})
      .Uid("messages")
      .Map([](std::string_view text) { return std::pair(text, 1L); })
      .ReduceByKey([](long a, long b) { return a + b; })
      .ToFiles({.directory = ctx.Arg("out")},
               [](const auto& count) { return std::string(count.first) + "\t" + std::to_string(count.second); })
      .Uid("counts");
}
