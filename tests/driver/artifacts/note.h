// NOTE(variable, text): an ELF note as a job library carries it. `text` is at most 64 bytes; the rest is zeros.
#pragma once

#define NOTE(variable, text)                                                         \
  __attribute__((section(".note.millrace"), used, aligned(4))) static const struct { \
    unsigned owner_size, description_size, type;                                     \
    char owner[12];                                                                  \
    char description[64];                                                            \
  } variable = {9, 64, 1, "Millrace", text}
