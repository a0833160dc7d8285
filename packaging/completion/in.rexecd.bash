# bash completion for in.rexecd(8)
_in_rexecd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
	-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-listen) mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:512 127.0.0.1:5120' -- "$cur"); return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '-check -config -debug -install -listen -m -n -remove -version' -- "$cur")
}
complete -F _in_rexecd in.rexecd
