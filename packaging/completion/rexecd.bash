# bash completion for rexecd(8)
_rexecd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
	-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-penalties) mapfile -t COMPREPLY < <(compgen -W clear -- "$cur"); return ;;
	-standby | -max | -max-per-source) return ;;
	-listen) mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:512 127.0.0.1:5120' -- "$cur"); return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '-check -config -debug -effective -explain -install -json -listen -m -max -max-per-source -n -penalties -remove -S -standby -version' -- "$cur")
}
complete -F _rexecd rexecd
