# bash completion for rexec(1)

_rexec_hosts() {
	local netrc=${NETRC:-$HOME/.netrc}
	[[ -r $netrc ]] && sed -n 's/^[[:space:]]*machine[[:space:]]\{1,\}\([^[:space:]"]*\).*/\1/p' "$netrc"
	getent hosts 2>/dev/null | awk '{for (i = 2; i <= NF; i++) print $i}'
}

_rexec() {
	local cur=${COMP_WORDS[COMP_CWORD]} word value='' host='' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $value ]]; then
			[[ $word == = ]] && continue
			value=''
			continue
		fi
		case $word in
		--*)
			case $word in
			--user | --password | --password-file | --port | --quirk | --stderr | --stderr-from | --stderr-port | --connect-timeout | --timeout | --tls-ca | --tls-cert | --tls-key | --tls-name) value=$word ;;
			esac
			;;
		-*[lpPqtT]) value=-${word: -1} ;;
		-*) ;;
		*)
			if [[ -n $host ]]; then
				# the command: completed as on this host, which is a guess
				if declare -F _command_offset >/dev/null; then
					_command_offset "$i"
				fi
				return
			fi
			host=$word
			;;
		esac
	done
	[[ $cur == = ]] && cur=''
	case $value in
	--stderr)
		mapfile -t COMPREPLY < <(compgen -W 'yes no auto' -- "$cur")
		return
		;;
	--stderr-from)
		mapfile -t COMPREPLY < <(compgen -W 'any' -- "$cur")
		return
		;;
	-q | --quirk)
		mapfile -t COMPREPLY < <(compgen -W 'no-status late-stderr status-on-primary status-on-stderr bsd-signals' -- "$cur")
		return
		;;
	--password-file | --tls-ca | --tls-cert | --tls-key)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-l | --user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	-?*) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-4 -6 -a -B -b -c -d -h -i -l -N -n -P -p -q -s -T -t -V
			--batch --connect-timeout --help --ipv4 --ipv6 --keep-input-open --no-input --no-signals --no-stderr
			--null-input --password --password-file --port --prompt --quirk --rsh-signals --status --stderr
			--stderr-from --stderr-port --timeout --tls --tls-ca --tls-cert --tls-key --tls-name --trace --user --version' -- "$cur")
	elif [[ -z $host ]]; then
		# Not compgen -W: it expands its words, and with them commands in other people's host names.
		while IFS= read -r word; do
			[[ $word == "$cur"* && $word =~ ^[[:alnum:]._:%-]+$ ]] && COMPREPLY+=("$word")
		done < <(_rexec_hosts)
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$COMP_CWORD"
	fi
}

complete -F _rexec rexec
