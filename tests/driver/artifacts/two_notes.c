#include "note.h"
NOTE(first, "abi=7;sdk=0.1.0;compiler=GCC 12.2.0;job=first, padded 64 bytes");
NOTE(second, "abi=7;sdk=0.1.0;compiler=GCC 12.2.0;job=second, padded to 64 b");
