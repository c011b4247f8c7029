# attempt DESCRIPTION COMMAND...: runs a command and prints whether it was allowed, else its first line of error.

attempt() {
	description=$1
	shift
	if error=$("$@" 2>&1); then
		printf '  allowed   %s\n' "$description"
	else
		error=$(echo "$error" | head -n 1)
		printf '  refused   %s (%s)\n' "$description" "${error##*: }"
	fi
}
