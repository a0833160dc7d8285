# bash completion for in.rexecd(8)
_in_rexecd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
	-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '-config -m -n -S -tls -version' -- "$cur")
}
complete -F _in_rexecd in.rexecd
