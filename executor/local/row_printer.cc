#include "executor/local/row_printer.h"

#include <cstdio>

namespace millrace {

void RowPrinter::Send(v1::JobEvent event) {
  if (!event.has_rows() || event.rows().total() == 0) return;
  const v1::OutputRows& rows = event.rows();
  if (rows.batch() != batch_ || rows.sink() != sink_) {
    batch_ = rows.batch();
    sink_ = rows.sink();
    printed_ = 0;
    std::printf("-------- %s, batch %llu\n", rows.name().c_str(), static_cast<unsigned long long>(batch_));
  }
  for (const std::string& row : rows.rows()) {
    if (printed_++ < rows.limit()) std::printf("%s\n", row.c_str());
  }
  std::fflush(stdout);
}

}  // namespace millrace
