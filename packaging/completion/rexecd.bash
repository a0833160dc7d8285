# bash completion for rexecd(8)
_rexecd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
	-config | -file | -html | -output) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-install) mapfile -t COMPREPLY < <(compgen -W "rsh tls" -- "$cur"); return ;;
	-penalties) mapfile -t COMPREPLY < <(compgen -W clear -- "$cur"); return ;;
	-sort) mapfile -t COMPREPLY < <(compgen -W 'sessions failed refused source user first last median longest cpu peak' -- "$cur"); return ;;
	-since | -until) mapfile -t COMPREPLY < <(compgen -W 'today yesterday 1d 7d 4w' -- "$cur"); return ;;
	-user) mapfile -t COMPREPLY < <(compgen -u -- "$cur"); return ;;
	-standby | -max | -max-per-source | -from | -rows) return ;;
	-listen) mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:512 127.0.0.1:5120' -- "$cur"); return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '-certificate -check -config -debug -effective -explain -file -from -html -install -json -listen -m -max -max-per-source -n -openmetrics -output -penalties -remove -report -rows -S -since -sort -standby -tls -until -user -version' -- "$cur")
}
complete -F _rexecd rexecd
