# bash completion for rsh(1)
_rsh() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
	-l | --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur"); return ;;
	-p | --port) return ;;
	esac
	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W '-4 -6 -a -d -h -i -l -n -p -s -V --help --ipv4 --ipv6 --no-input
		--no-signals --no-stderr --null-input --port --status --trace --user --version' -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
	esac
}
complete -F _rsh rsh
