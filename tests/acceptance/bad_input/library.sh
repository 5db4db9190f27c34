# Job libraries that cannot become a job. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

# Replaces bytes in a copy of a file; the new ones must be as many as the old ones.
patched() {  # FILE OLD NEW
  python3 - "$1" "$2" "$3" "$work/patched.so" << 'PYTHON'
import sys
source, old, new, target = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode(), sys.argv[4]
data = open(source, "rb").read()
assert len(old) == len(new) and old in data, f"{old} is not in {source}"
open(target, "wb").write(data.replace(old, new))
PYTHON
}

begin "a file that is no library"
echo 'print("hello")' > "$work/text.so"
expect 1 'not a shared library' -- millrace submit "$work/text.so"
end

begin "a file that does not exist"
expect 5 nothing.so 'No such file' -- millrace submit "$work/nothing.so"
end

begin "a library that needs another one that is not there"
patched "$good" 'libstdc++.so.6' 'libstdc++.so.9'
expect 1 'libstdc++.so.9' 'cannot open shared object file' -- millrace submit "$work/patched.so"
end

begin "a library without MILLRACE_JOB"
expect 1 'no MILLRACE_JOB' -- millrace submit "$jobs_dir/not_a_job.so"
end

begin "a library of another SDK version"
sdk=$(grep -aoE 'abi=[0-9]+;sdk=[0-9.]+;' "$good" | head -n 1)
other=$(sed -E 's/abi=[0-9]/abi=9/; s/sdk=[0-9]/sdk=9/' <<< "$sdk")
patched "$good" "$sdk" "$other"
expect 6 'SDK ABI 9' 'SDK 9.' 'rebuild the job' -- millrace submit "$work/patched.so"
end

begin "a library of another architecture"
cp "$good" "$work/patched.so"
printf '\xb7\x00' | dd of="$work/patched.so" bs=1 seek=18 conv=notrunc status=none  # e_machine := EM_AARCH64
expect 1 'built for aarch64' -- millrace submit "$work/patched.so"
end

begin "a library that was cut off on the disk"
head -c $(($(stat -c %s "$good") / 2)) "$good" > "$work/patched.so"
expect 1 truncated -- millrace submit "$work/patched.so"
end

begin "a plan with no output"
expect 1 'output' -- millrace submit "$jobs_dir/no_output.so"
end

begin "an argument that the job does not know"
expect 1 ratio -- millrace submit "$good" --name misspelt --arg ratio=10
end

begin "the name of a job that lives"
expect 6 "neighbour-$neighbours" "$neighbour" -- millrace submit "$good" --name "neighbour-$neighbours"
end
