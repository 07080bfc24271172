; A guest that does nothing at all, as the ROM that the machine starts from: each vCPU halts with interrupts off. It never
; wakes its thread again, so that what is measured beside it is not its doing.

ROM_SIZE equ 0x10000

org 0
bits 16
start:
  cli
  hlt
  jmp start

times ROM_SIZE - 16 - ($ - $$) db 0xff
  jmp 0xf000:start      ; where the processor starts
times ROM_SIZE - ($ - $$) db 0xff
