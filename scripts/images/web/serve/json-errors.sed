# nginx writes its errors as text: each line becomes a JSON object.
s/\\/\\\\/g
s/"/\\"/g
s/[[:cntrl:]]//g
/\[\(emerg\|alert\|crit\|error\)\]/{
  s/.*/{"level":"error","message":"&"}/
  b
}
s/.*/{"level":"warning","message":"&"}/
