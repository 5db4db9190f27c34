// A certificate for 127.0.0.1 that signs itself, and its key, as PEM files: for servers that tests start themselves.
// A failure fails the test at hand. Thread-safe.
#pragma once

#include <string>

namespace millrace {

void WriteTestCertificate(const std::string& certificate_file, const std::string& key_file);

}  // namespace millrace
