int some_function(int x) { return x + 1; }
